package model

import (
	"fmt"
	"math"
)

// A smooth is a function of one number that networks apply to elements. It is
// public, with its parameters.
type smooth struct {
	name string
	f    func(float64) float64
	// bends lists where, between lo and hi, convex and concave pieces meet, and
	// where the slope jumps.
	bends func(lo, hi float64) []float64
	// left and right are lines that f approaches, or equals from a point on.
	left, right *tail
	// lo and hi are poles: f is defined between them, and they are left out.
	lo, hi float64
	// weight is how much of the wanted error is allowed at a value of f; nil is 1.
	weight func(y float64) float64
	knots  int     // that a fit may cost; 0 is fewKnots
	trend  int     // 1 if it never falls, −1 if it never rises, else 0
	near   float64 // f may be off by this much for every unit of 1 + |x|
	both   bool    // defined on the other side of its pole, too
}

// A tail is a line next to which a function ends.
type tail struct {
	slope, offset float64
	from          float64 // where they become equal; infinite if they only approach
}

// Errors of large values are allowed to be large: of those that are multiplied by
// what made them, and of those that grow fast.
func relative(y float64) float64 { return math.Abs(y) }
func mixed(y float64) float64    { return max(1, math.Abs(y)) }

// at returns fixed bends.
func at(x ...float64) func(lo, hi float64) []float64 {
	return func(float64, float64) []float64 { return x }
}

// every returns bends at all x + k·π.
func every(x float64) func(lo, hi float64) []float64 {
	return func(lo, hi float64) []float64 {
		var v []float64
		for k := math.Ceil((lo - x) / math.Pi); k*math.Pi+x < hi && len(v) < maxBends; k++ {
			v = append(v, k*math.Pi+x)
		}
		return v
	}
}

// maxBends is more than any spline has knots for; it is refused then.
const maxBends = 1 << 10

// level returns a tail of slope 0.
func level(y float64) *tail { return &tail{0, y, math.Inf(1)} }

// bent returns the zeros of the second derivative of f, one in every interval.
func bent(f func(float64) float64, intervals ...[2]float64) func(lo, hi float64) []float64 {
	var v []float64
	for _, i := range intervals {
		lo, hi := i[0], i[1]
		h := (hi - lo) / 4096
		curve := func(x float64) float64 { return f(x-h) - 2*f(x) + f(x+h) }
		up := curve(hi) > 0
		for range 30 {
			if m := (lo + hi) / 2; curve(m) > 0 == up {
				hi = m
			} else {
				lo = m
			}
		}
		v = append(v, lo)
	}
	return at(v...)
}

func everywhere(name string, f func(float64) float64) *smooth {
	return &smooth{name: name, f: f, bends: at(), lo: math.Inf(-1), hi: math.Inf(1)}
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// identityTail is the line x, which many activations approach.
func identityTail() *tail { return &tail{1, 0, math.Inf(1)} }

// saturating is a function between two limits that bends at 0.
func saturating(name string, f func(float64) float64, lo, hi float64) *smooth {
	s := everywhere(name, f)
	s.bends, s.left, s.right, s.trend = at(0), level(lo), level(hi), 1
	return s
}

func sigmoidFn() *smooth { return saturating("Sigmoid", logistic, 0, 1) }
func tanhFn() *smooth    { return saturating("Tanh", math.Tanh, -1, 1) }
func erfFn() *smooth     { return saturating("Erf", math.Erf, -1, 1) }
func atanFn() *smooth    { return saturating("Atan", math.Atan, -math.Pi/2, math.Pi/2) }
func softsignFn() *smooth {
	return saturating("Softsign", func(x float64) float64 { return x / (1 + math.Abs(x)) }, -1, 1)
}

func softplusFn() *smooth {
	s := everywhere("Softplus", softplus)
	s.left, s.right, s.trend = level(0), identityTail(), 1
	return s
}

// gated is a product of x and a gate that goes from 0 to 1: it has two bends.
func gated(name string, f func(float64) float64) *smooth {
	s := everywhere(name, f)
	s.left, s.right = level(0), identityTail()
	s.bends = bent(f, [2]float64{-5, -0.5}, [2]float64{0.5, 5})
	return s
}

func siluFn() *smooth { return gated("SiLU", func(x float64) float64 { return x * logistic(x) }) }

func mishFn() *smooth {
	return gated("Mish", func(x float64) float64 { return x * math.Tanh(softplus(x)) })
}

// geluFn returns x·Φ(x), or its approximation by a hyperbolic tangent.
func geluFn(tanh bool) *smooth {
	if !tanh {
		return gated("Gelu", func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) })
	}
	return gated("Gelu tanh", func(x float64) float64 {
		return x * logistic(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
	})
}

// swishFn returns x·σ(a·x).
func swishFn(a float64) *smooth {
	if a == 1 {
		return siluFn()
	}
	s := gated(fmt.Sprintf("Swish %.6g", a), func(x float64) float64 { return x * logistic(a*x) })
	s.bends = bent(s.f, [2]float64{-5 / a, -0.5 / a}, [2]float64{0.5 / a, 5 / a})
	return s
}

// eluFn returns x·λ for x > 0 and λ·α·(e^(x/β) − 1) for x ≤ 0, for positive λ, α, β.
func eluFn(name string, lambda, alpha, beta float64) *smooth {
	s := everywhere(name, func(x float64) float64 { return lambda*max(x, 0) + lambda*alpha*math.Expm1(min(x, 0)/beta) })
	s.bends, s.left, s.right = at(0), level(-lambda*alpha), &tail{lambda, 0, 0}
	s.trend = 1
	return s
}

func expFn() *smooth {
	s := everywhere("exp", math.Exp)
	s.left, s.weight, s.trend = level(0), mixed, 1
	return s
}

// positive is a function of positive numbers with a pole at 0.
func positive(name string, f func(float64) float64) *smooth {
	s := everywhere(name, f)
	s.lo, s.trend = 0, 1
	return s
}

func logFn() *smooth { return positive("log", math.Log) }

// sqrtFn returns √x, and 0 for x < 0.
func sqrtFn() *smooth {
	s := everywhere("sqrt", func(x float64) float64 { return math.Sqrt(max(x, 0)) })
	s.bends, s.left, s.trend = at(0), &tail{0, 0, 0}, 1
	return s
}

// reciprocalFn returns 1/x, for numbers of one sign.
func reciprocalFn() *smooth {
	s := positive("1/x", func(x float64) float64 { return 1 / x })
	s.weight, s.knots, s.both, s.trend = relative, manyKnots, true, -1
	return s
}

// rsqrtFn returns 1/√(x + eps), and 1/√eps for x < 0.
func rsqrtFn(eps float64) *smooth {
	if eps <= 0 {
		s := positive("1/sqrt", func(x float64) float64 { return 1 / math.Sqrt(x) })
		s.weight, s.knots, s.trend = relative, manyKnots, -1
		return s
	}
	top := 1 / math.Sqrt(eps)
	s := everywhere(fmt.Sprintf("1/sqrt(x+%g)", eps), func(x float64) float64 { return 1 / math.Sqrt(max(x, 0)+eps) })
	s.bends, s.left, s.weight, s.knots, s.trend = at(0), &tail{0, top, 0}, relative, manyKnots, -1
	return s
}

// maxExponent bounds the exponents of powers.
const maxExponent = 64

// powFn returns x^p. Of negative numbers it is that of 0 if p is not whole.
func powFn(p float64) *smooth {
	switch p {
	case 0.5:
		return sqrtFn()
	case -0.5:
		return rsqrtFn(0)
	case -1:
		return reciprocalFn()
	}
	name := fmt.Sprintf("x^%.6g", p)
	whole := p == math.Trunc(p)
	if p < 0 {
		s := positive(name, func(x float64) float64 { return math.Pow(x, p) })
		s.weight, s.both, s.trend = relative, whole, -1
		if math.Mod(p, 2) == 0 {
			s.trend = 0 // it rises on the other side
		}
		return s
	}
	if whole {
		s := everywhere(name, func(x float64) float64 { return math.Pow(x, p) })
		s.bends, s.weight = at(0), mixed
		if math.Mod(p, 2) == 1 {
			s.trend = 1
		}
		return s
	}
	s := everywhere(name, func(x float64) float64 { return math.Pow(max(x, 0), p) })
	s.bends, s.left, s.weight, s.trend = at(0), &tail{0, 0, 0}, mixed, 1
	return s
}

// periodic is a sine whose bends are at x + k·π.
func periodic(name string, f func(float64) float64, x float64) *smooth {
	s := everywhere(name, f)
	s.bends = every(x)
	return s
}

func sinFn() *smooth { return periodic("sin", math.Sin, 0) }
func cosFn() *smooth { return periodic("cos", math.Cos, math.Pi/2) }

// odd is a rising function that bends at 0, between two poles.
func odd(name string, f func(float64) float64, pole float64) *smooth {
	s := everywhere(name, f)
	s.bends, s.lo, s.hi, s.trend = at(0), -pole, pole, 1
	return s
}

func tanFn() *smooth   { return odd("tan", math.Tan, math.Pi/2) }
func atanhFn() *smooth { return odd("atanh", math.Atanh, 1) }
func asinhFn() *smooth { return odd("asinh", math.Asinh, math.Inf(1)) }

func sinhFn() *smooth {
	s := odd("sinh", math.Sinh, math.Inf(1))
	s.weight = mixed
	return s
}

func coshFn() *smooth {
	s := everywhere("cosh", math.Cosh)
	s.weight = mixed
	return s
}

// asinFn and acosFn limit their operand to −1..1, acoshFn to 1 and more.
func asinFn() *smooth {
	s := everywhere("asin", func(x float64) float64 { return math.Asin(min(max(x, -1), 1)) })
	s.bends, s.left, s.right, s.trend = at(-1, 0, 1), &tail{0, -math.Pi / 2, -1}, &tail{0, math.Pi / 2, 1}, 1
	return s
}

func acosFn() *smooth {
	s := everywhere("acos", func(x float64) float64 { return math.Acos(min(max(x, -1), 1)) })
	s.bends, s.left, s.right, s.trend = at(-1, 0, 1), &tail{0, math.Pi, -1}, &tail{0, 0, 1}, -1
	return s
}

func acoshFn() *smooth {
	s := everywhere("acosh", func(x float64) float64 { return math.Acosh(max(x, 1)) })
	s.bends, s.left, s.trend = at(1), &tail{0, 0, 1}, 1
	return s
}
