package ntt

import "encoding/binary"

// Bytes of randomness for a coefficient.
const (
	TernaryBytes  = 4
	GaussianBytes = 8
)

// Ternary sets dst to independent numbers, uniform in {−1, 0, 1}, from
// TernaryBytes random bytes for each. It returns false if a draw of 32 bits was
// 2³²−1, which is left over when the others are shared out among three: then
// all are to be drawn again.
func Ternary(dst []int64, random []byte) bool {
	const third = (1<<32 - 1) / 3
	random = random[:TernaryBytes*len(dst)]
	i, again := ternaryKernel(dst, random)
	for ; i < len(dst); i++ {
		x := uint64(binary.LittleEndian.Uint32(random[TernaryBytes*i:]))
		dst[i] = int64((third-1-x)>>63) + int64((2*third-1-x)>>63) - 1
		again |= (x + 1) >> 32
	}
	return again == 0
}

// Sigma and Tail are the parameters of [Gaussian].
const (
	Sigma = 3.2
	Tail  = 19
)

// Gaussian sets dst to independent numbers from GaussianBytes random bytes for
// each: a Gaussian of standard deviation Sigma, rounded to integers, and given
// that it is within ±Tail. Probabilities are exact to 2⁻⁶².
func Gaussian(dst []int64, random []byte) {
	random = random[:GaussianBytes*len(dst)]
	i := gaussianKernel(dst, random)
	for ; i < len(dst); i++ {
		x := binary.LittleEndian.Uint64(random[GaussianBytes*i:])
		sign := int64(x) >> 63
		x &= 1<<63 - 1
		t := int64(Tail)
		for _, least := range &thresholds { // all are below 2⁶³
			t -= int64((x - least) >> 63)
		}
		dst[i] = (t ^ sign) - sign
	}
}
