//go:build !amd64 || purego

package ntt

// use is the level in force.
const use = portable

func (m *Modulus) forwardKernels([]uint64) {}
func (m *Modulus) inverseKernels([]uint64) {}

func (m *Modulus) dotKernels([]uint64, int, int, int, Factors, []uint64, int) {}

// What follows returns how many elements it has done.

func (m *Modulus) mulAddKernel(_, _, _ []uint64) int                             { return 0 }
func (m *Modulus) addSmallKernel([]uint64, []int64) int                          { return 0 }
func (m *Modulus) signedKernel(_, _, _ []uint64, _ *[5]uint64) int               { return 0 }
func (m *Modulus) fractionsKernel(_, _, _ []uint64, _ *[crtConstants]uint64) int { return 0 }
func roundKernel(_, _ []uint64, _ *[6]uint64, _ uint64) int                      { return 0 }
func ternaryKernel(_ []int64, _ []byte) (done int, again uint64)                 { return 0, 0 }
func gaussianKernel(_ []int64, _ []byte) int                                     { return 0 }
