// Package triple makes matrix triples: shares of A∗B for shared random A and B,
// by homomorphic encryption between every two parties, without a dealer.
//
// Party i holds additive shares aᵢ and bᵢ modulo 2ᵏ, and A∗B = Σᵢⱼ aᵢ∗bⱼ. B is the
// mask of a model's weights and stays; A is fresh for every inference. In
// [Setup] every party encrypts its bⱼ for all others, once. In
// [Context.Multiply], party i multiplies the ciphertexts of bⱼ by its aᵢ, adds a
// random mask r, and returns the result, which party j decrypts: aᵢ∗bⱼ + r. Its
// own share is −r. One round makes the triples of all layers for a batch of
// inferences.
//
// # Notation
//
// N = 8192 is the degree of the ring R = ℤ_Q[X]/(Xᴺ+1); k the width of a layer;
// s a secret key, e an error, (c0, c1) a ciphertext of b: c0 + c1·s = Q·b/2ᵏ + e.
// The plaintext modulus is a power of two, as products of polynomials need no
// slots. Everything is exact: a product of integers modulo 2ᵏ, without a
// probability of error that anyone will see.
//
// # Security:
//
// The adversary is passive and corrupts up to n−1 parties. It learns the
// geometry, the widths and the number of inferences. The links are
// authenticated and confidential.
//
// What a party sends hides by ring-LWE with uniform ternary secrets and errors
// of standard deviation 3.2. The suite follows from the width:
//
//	width    log Q              standard, classical / quantum   distance of all replies from uniform
//	1..40    168 = 4·42         128 / 128                       2^-44.4 at 40, 2^-60.4 at 32
//	41..56   200 = 5·40         128 / 128                       2^-44.4 at 56, 2^-60.4 at 48
//	57..64   212 = 2·43 + 3·42  128 / -                         2^-40.4 at 64
//
// The Homomorphic Encryption Standard allows log Q up to 218 (classical) and
// 202 (quantum attacks) for N = 8192. N = 4096, up to 109, has no room for the
// flooding.
//
// What a receiver decrypts must not tell more about aᵢ than aᵢ∗bⱼ + r. First,
// c1 = Σ A·c1 with a public c1 would reveal A: every reply is re-randomised by an
// encryption of zero, with fresh u, e1, e0, so that c1 is one more ring-LWE
// sample, the same for all receivers. Second, only coefficients of the result
// are sent, each with a uniform mask. Third, the decryption of one shows
//
//	Q·(aᵢ∗bⱼ + r)/2ᵏ + δ + f,  δ = Σ a·e + u·e′ + e1·s + e0,
//
// where the error δ depends on a. So f, the flooding, is uniform in ±Q/2^(k+2),
// from 2^(log Q−1−k) values, and is added modulo Q before anything is rounded.
// For T non-zero coefficients of A in a block, each uniform modulo 2ᵏ, and
// the statistical distance of one coefficient from one without δ,
//
//	E|δ| ≤ √T·2ᵏ/√12·√(3.2² + 1/12),  distance ≤ E|δ|/2^(log Q−1−k),
//
// and never above T·2^(k−1)·19.5 over the same. The tables take 0.8 of that mean,
// as it is for a normal variable, which a sum of many terms is nearly; without that
// they are worse by a third of a bit. Distances add up over the
// coefficients sent under one key, to all receivers. The table is for
// M = 2³⁵ of them and T ≤ 2¹⁶; a coefficient of a larger block, √(T/2¹⁶) times
// as far off, counts as so many. For one inference by three parties it is
//
//	network                            coefficients   at 36 bits   40         56         64
//	MLP 784-128-128-10                 532            2^-78.4      2^-70.4    2^-70.4    2^-66.4
//	LeNet-5 without padding            9,388          2^-74.2      2^-66.2    2^-66.2    2^-62.2
//	128 rows by a matrix of 784x128    32,768         2^-72.4      2^-64.4    2^-64.4    2^-60.4
//
// [Context.Multiply] keeps the count and refuses
// with an [ExhaustedError] at M. The count lives and dies with the keys, which
// are never stored.
//
// All parties encrypt under common c1, expanded from a seed to which all
// contribute: independent secrets, so it is ring-LWE with several secrets. No
// two plaintexts may meet under one (s, c1), therefore every Setup draws new
// secrets and a new seed. Likewise a batch that fails is lost, with its a.
//
// Masks, flooding, errors and secrets come from AES in counter mode under a
// seed from the caller's randomness, a stream for every block; never from the
// common seed. Errors are exact to 2⁻⁶², secrets and u are exactly uniform. No
// sampler, transform or scaling takes a time that depends on a secret. Reductions
// of lattigo, where replies are opened, may; the adversary does not measure the
// time of another party's computation.
//
// # Correctness:
//
// In units of the distance Q/2ᵏ of two plaintexts, of which decryption
// tolerates half: the flooding is at most 1/4, and 2⁻¹⁹ more as Q is a little below a
// power of two; c0 has k+4 bits, 1/32; c1 has k+12 bits, whose rounding errors meet
// s, a sum of N independent terms: it exceeds the 7/32 − 2⁻¹⁸ that are left
// with probability 2·exp(−6·895²/N) < 2⁻⁸⁴⁵. The
// fractions that are rounded are short by at most 10·2⁻¹⁰³, less than 2⁻³⁵, and
// with s in all coefficients of c1 less than 2⁻²²; δ is below 2⁻⁶⁰.
//
// A receiver computes c1·s over the integers, from two primes. With c1 centred a
// coefficient is at most N·2^(k+11) = 2^(k+24), and the product of the primes more
// than twice that for k up to 40, 54 and 60 in the three suites. Beyond, it is a
// sum of N independent terms c·s with s uniform in {−1, 0, 1}, |c| ≤ 2^(k+11), as who
// makes c1 knows nothing of s; as E exp(xs) ≤ exp(x²/3), it exceeds t with
// probability at most 2·exp(−3t²/(4N·2^(2k+22))): for k = 56 and t = 2⁷⁹·0.99
// below 2⁻¹⁹⁰⁰, for k = 64 and t = 2⁸⁵·0.99 below 2⁻¹³⁴.
//
// # Reference:
//
// The products are those of Huang, Lu, Hong and Ding, "Cheetah: Lean and Fast
// Secure Two-Party Deep Neural Network Inference", USENIX Security 2022, ePrint
// 2022/207, and Hao, Li, Chen, Xing, Xu and Zhang, "Iron: Private Inference on
// Transformers", NeurIPS 2022. That every two parties multiply their shares is
// LowGear of Keller, Pastro and Rotaru, "Overdrive: Making SPDZ Great Again",
// EUROCRYPT 2018, ePrint 2017/1230. Parameters are from Albrecht et al.,
// "Homomorphic Encryption Standard", 2018, ePrint 2019/939.
//
// # Deviations:
//
// From Cheetah: A lies in a subring, which makes its transforms short; images
// are tiled by rows, and batches fill a polynomial; strides, dilation and groups
// are packed, not decomposed; the c1 are common to all parties, so that half a
// reply is computed once for all receivers; replies are rounded to powers of
// two, k+12 and k+4 bits; the flooding is added before rounding, and its bound
// is enforced.
//
// Of lattigo v2.4 only the ring is used: parameters, roots of unity, polynomials,
// single reductions. Transforms and sums are those of internal/ntt, which a self test
// compares with lattigo's. Its sampler of secret keys makes neighbouring
// coefficients dependent, its Gaussian has too few values for flooding, and its
// decoders fail on forged input; samplers and codecs are our own.
package triple
