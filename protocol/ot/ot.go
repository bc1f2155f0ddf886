// Package ot makes correlated randomness from oblivious transfer: authenticated
// bits, products of bits, and products of a bit with ring elements, for n
// parties of which all but one may collude.
package ot
