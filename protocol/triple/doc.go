// Package triple makes matrix triples: shares of A∗B for random shares of A and
// of B, by homomorphic encryption between every two parties.
package triple
