// Package ot makes correlated randomness from oblivious transfer, for n parties
// of which all but one may collude: authenticated bits, products of bits,
// products of a bit with ring elements, and of numbers of one party with those of
// another.
//
// [Setup] runs base OTs, once for many batches. [Base.Fork] starts the
// [Session] of a batch, in which party j has a fresh secret Δⱼ. A session
// authenticates bits with [Session.Authenticate] and multiplies them with
// [Session.And], [Session.AndEach] and [Session.Mul]; [Session.MulOwn] multiplies
// with what the holder of bits knows itself. The Plan functions give the cost of a call
// from the shapes of its requests, exactly.
//
// Notation: κ = 128 bits in a [prg.Block]; xᵢ is party i's XOR share of a bit
// x; M and K with M = K ⊕ xᵢ·Δⱼ are a MAC, at party i, and its key, at party
// j; H is [prg.Hash], tweaked by what the hash is for, who receives, who sends,
// and the layer, gate and element that the caller names.
//
// Security: passive, static, up to n−1 corrupt parties, who learn nothing of the
// others' shares, of Δ, or of products. Time, memory addresses, lengths and who
// sends depend on the shapes of requests alone; shares and Δ are used only as
// masks. No consistency of what a peer sends is checked, which an active
// adversary could use; but its lengths are fixed beforehand, group elements and
// ciphertexts are validated, and all else are bit strings that may have any
// value.
//
// Assumptions. Base OTs: the gap Diffie-Hellman problem in ristretto255, and
// SHAKE128 as a random oracle. Trees: two fixed AES permutations as ideal ones;
// their leaves: AES-128 in counter mode. Products: H is circular correlation
// robust for naturally derived inputs, in the ideal-permutation model. MACs and
// keys are outputs of an honest run, Δ has 127 random bits, and an AES key of H
// serves one call, at most 2²⁰ sums, and no tweak twice; hence the fresh Δ and
// hash keys of every batch. A vector may enter several products, as each has
// its own tweak, and its [Session.Share] may label wires, which is the circular
// case.
//
// Forks. To plant the trees for its Δ, a batch needs κ OTs for every ordered
// pair. They are made of the base correlation: the party that will hold Δ
// chooses by its bits c and gets M = K ⊕ c·Δ', where the peer has K and its base
// secret Δ'. Then KDF(K) and KDF(K ⊕ Δ') are two OT keys, of which the chooser
// knows KDF(M) and, not knowing Δ', cannot tell the other from a random one: the
// step from correlated to random OT of Ishai et al., which needs correlation
// robustness. The KDF is HKDF-SHA256 and binds batch, pair, direction and
// position. Streams of the base go on from fork to fork, so that K is fresh, and
// Δ' is used for nothing else. The choices are hidden by u, as in every
// extension. Sessions have in common only Δ', so the Δ of one tells nothing of
// another's. But with a base and a recording one can find the Δ of all its
// sessions: it is to be erased, by [Base.Erase].
//
// Reference:
//
//   - Chou, Orlandi, "The Simplest Protocol for Oblivious Transfer", LATINCRYPT
//     2015, ePrint 2015/267: the base OTs, by circl.
//   - Ishai, Kilian, Nissim, Petrank, "Extending Oblivious Transfers
//     Efficiently", CRYPTO 2003: random OTs from correlated ones.
//   - Roy, "SoftSpokenOT: Quieter OT Extension from Small-Field Silent VOLE in
//     the Minicrypt Model", CRYPTO 2022, ePrint 2022/192.
//   - Nielsen, Nordholt, Orlandi, Burra, "A New Approach to Practical
//     Active-Secure Two-Party Computation", CRYPTO 2012, ePrint 2011/091:
//     authenticated bits.
//   - Gilboa, "Two Party RSA Key Generation", CRYPTO '99: products of numbers.
//   - Guo, Katz, Wang, Weng, Yu, "Better Concrete Security for Half-Gates
//     Garbling (in the Multi-instance Setting)", CRYPTO 2020, ePrint 2019/1168:
//     H and its bound.
//
// Deviations:
//
//   - SoftSpoken with the repetition code and without the consistency check,
//     which passive adversaries do not call for. A receiver runs an instance
//     with every sender, all on the same bits. Trees have depth 4 by default, 4
//     bytes for a correlated OT: the fastest at 1 Gbit/s. Depth 8 is for slower
//     links, 2 for parties on one machine.
//   - The lowest bit of Δ is 1. The OT that plants its level runs as all others.
//   - circl derives the key of a base OT from two elements and the shared point
//     alone. Its messages are here random keys, from which those of the trees
//     are derived with the transcript, the pair and the position. It takes
//     scalars and nonces from crypto/rand, not from the caller; nothing that
//     parties compute later depends on them.
//   - Products go in the direction in which keys exist, so that the evaluator of
//     garbled circuits holds none and never sends. The words of one product
//     take disjoint bits of one hash.
package ot
