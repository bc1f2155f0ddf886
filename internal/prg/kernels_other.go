//go:build !amd64 || purego

package prg

// Without assembly every operation takes its portable form.

func best() level { return portable }

func expandKey(*roundKeys, *Block)                                 { panic("prg: no kernels") }
func sumKernel(dst, src []Block, rk *roundKeys, tweak *Block) bool { return false }
func pairKernel(_, _, _ []Block, _ *roundKeys, _, _ *Block) bool   { return false }
func ggmKernel(left, right, src []Block, rk0, rk1 *roundKeys) bool { return false }
func ctrKernel(dst []byte, rk *roundKeys, nonce, counter uint64)   { panic("prg: no kernels") }
func transposeKernel(dst []Block, src []byte, stride, n int) int   { return 0 }
func foldKernel(v, sum, b []Block) int                             { return 0 }
func maskXorKernel(dst, src []Block, mask uint64) int              { return 0 }
func lsbsKernel(dst []uint16, src []Block) int                     { return 0 }

func deltasKernel(_ []Block, _ []uint8, _ *Block, _, _ []Block) int  { return 0 }
func halfGatesKernel(g0, g1, k []Block, g *Gates, rk *roundKeys) int { return 0 }
func evaluateKernel(z []Block, r *Rows, rk *roundKeys) int           { return 0 }
