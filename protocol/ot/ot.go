// Package ot makes correlated randomness from oblivious transfer, for n parties
// of which all but one may collude: authenticated bits, products of bits, and
// products of a bit with ring elements.
//
// [Setup] runs base OTs, once for many batches. [Base.Fork] starts the
// [Session] of a batch, in which party j has a fresh secret Δⱼ. A session
// authenticates bits with [Session.Authenticate] and multiplies them with
// [Session.And] and [Session.Mul]. The Plan functions give the cost of a call
// from the shapes of its requests, exactly.
//
// Notation: κ = 128 bits in a [prg.Block]; xᵢ is party i's XOR share of a bit
// x; M and K with M = K ⊕ xᵢ·Δⱼ are a MAC, at party i, and its key, at party
// j; H is [prg.Hash], tweaked by what the hash is for, who receives, who sends,
// and the layer, gate and element that the caller names.
//
// # Security
//
// Passive adversary, static, that corrupts up to n−1 parties and learns
// nothing. Time, memory addresses, lengths and who sends are functions of the
// shapes of requests alone; shares and Δ are used only as masks. What a party
// sends is not checked for consistency, so this is not for active adversaries;
// lengths are fixed before anything is received, group elements and ciphertexts
// are validated, and all other messages are bit strings of which every value
// is possible.
//
// Assumptions. Base OTs: the gap Diffie-Hellman problem in ristretto255 and
// SHAKE128 as a random oracle. Trees: two fixed AES permutations as ideal ones;
// leaves: AES-128 in counter mode as a pseudorandom function. Products: H is
// circular correlation robust for naturally derived inputs, in the ideal
// permutation model: MACs and keys are outputs of an honest run, Δ has 127
// random bits, an AES key of H serves one call, at most 2²⁰ sums, and no tweak
// twice. That is the reason for a fresh Δ and fresh hash keys in every batch.
// One vector may enter several products, as each has its own tweak, and its
// Share may label wires, as that is the circular case.
//
// Forks. A batch needs 128 OTs per ordered pair to plant the trees for its Δ.
// They come from the base correlation: the party that will hold Δ chooses by
// its bits c, and has M = K ⊕ c·Δ', where the peer has K and its base secret
// Δ'. Then KDF(K) and KDF(K ⊕ Δ') are the peer's two OT keys, of which the
// chooser knows KDF(M) and, not knowing Δ', sees the other as random: the step
// from correlated to random OT of Ishai, Kilian, Nissim and Petrank, which
// needs correlation robustness. The KDF is HKDF-SHA256 and takes the batch, the
// pair, its direction and the position with it. Streams of the base go on from
// fork to fork, so K is fresh, and no output of the KDF enters another product
// under Δ', which is used for nothing else. The choices are hidden by the sums
// u, as in any extension. Sessions share no secret but Δ': knowing one Δ says
// nothing of another. Whoever gets hold of a base and of recordings can find
// the Δ of its sessions, so bases are erased, by [Base.Erase].
//
// # Reference
//
//   - Chou, Orlandi, "The Simplest Protocol for Oblivious Transfer", LATINCRYPT
//     2015, ePrint 2015/267: base OTs, from circl.
//   - Ishai, Kilian, Nissim, Petrank, "Extending Oblivious Transfers
//     Efficiently", CRYPTO 2003: the hash that makes OTs of correlated OTs.
//   - Roy, "SoftSpokenOT: Quieter OT Extension from Small-Field Silent VOLE in
//     the Minicrypt Model", CRYPTO 2022, ePrint 2022/192.
//   - Nielsen, Nordholt, Orlandi, Burra, "A New Approach to Practical
//     Active-Secure Two-Party Computation", CRYPTO 2012, ePrint 2011/091:
//     authenticated bits.
//   - Guo, Katz, Wang, Weng, Yu, "Better Concrete Security for Half-Gates
//     Garbling (in the Multi-instance Setting)", CRYPTO 2020, ePrint 2019/1168:
//     H and its bound.
//
// # Deviations
//
//   - SoftSpoken with the repetition code and without its consistency check,
//     which passive adversaries do not need. One receiver runs an instance with
//     every sender, on the same choice bits. The trees have depth 4 by default,
//     4 bytes per correlated OT: the least of time and bytes at 1 Gbit/s; 8 is
//     for slower links, 2 for a single machine.
//   - The lowest bit of Δ is 1, and the OT that plants its level runs as the
//     others do.
//   - circl derives the key of a base OT from the two elements and the shared
//     point alone. Here its messages are random keys, from which those of the
//     trees are derived with the transcript, the pair and the position. circl
//     takes its scalars and nonces from crypto/rand, not from the randomness
//     that a caller gives; they do not influence what parties compute later.
//   - Products go in the direction in which keys exist, so that the evaluator of
//     garbled circuits holds none and never sends. Words of one product take
//     disjoint bits of one hash.
package ot
