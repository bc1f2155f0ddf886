package model

import (
	"errors"
	"fmt"
	"math"
)

// A stretch says how Resize makes one axis longer or shorter.
type stretch struct {
	in, out int
	scale   float64
}

// A weighted lists, for every position of the result along an axis, the positions it is
// made of and their weights; all lists are equally long.
type weighted struct {
	at     [][]int // by tap, then position
	weight [][]float64
}

// resize lowers Resize and Upsample: every element of the result is a public
// combination of few elements of the operand.
func (o *operator) resize() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if o.int("antialias", 0) != 0 || o.string("keep_aspect_ratio_policy", "stretch") != "stretch" {
		return errors.New("antialias and keep_aspect_ratio_policy are not supported; leave them out")
	}
	axes, err := o.stretches(t.shape)
	if err != nil {
		return err
	}
	shape, work := make([]int, len(axes)), 1
	for i, s := range axes {
		shape[i] = s.out
	}
	if err := checkShape(shape); err != nil {
		return err
	}
	taps := make([]weighted, len(axes))
	for i, s := range axes {
		if taps[i], err = o.interpolation(s); err != nil {
			return err
		}
		work *= len(taps[i].at)
	}
	if work > maxTaps {
		return fmt.Errorf("%d elements make one of the result, more than %d; resize fewer axes", work, maxTaps)
	}
	if err := o.spend(4 * work * size(shape)); err != nil {
		return err
	}
	z := -1
	for k := range work {
		lists, c := make([][]int, len(axes)), []float64{1}
		for i, w := range taps {
			lists[i] = w.at[k%len(w.at)]
			c = outer(c, w.weight[k%len(w.at)])
			k /= len(w.at)
		}
		index := pick(t.shape, lists)
		if work == 1 {
			return o.set(o.view(t, shape, index))
		}
		for i, j := range index {
			index[i] = t.at(int(j))
		}
		part := o.g.add(node{kind: sumNode, name: o.name, in: []int{t.val}, len: len(index), window: 1, index: index, c: c})
		if z >= 0 {
			part = o.g.add(node{kind: addNode, name: o.name, in: []int{z, part}, len: len(index)})
		}
		z = part
	}
	return o.set(&tensor{shape: shape, val: z})
}

// maxTaps bounds the elements that make one of a resized tensor: 4 along each of
// two axes.
const maxTaps = 16

// outer returns all products of an element of a and one of b, in order.
func outer(a, b []float64) []float64 {
	z := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			z = append(z, x*y)
		}
	}
	return z
}

// stretches reads the scales or sizes, for every axis of a row.
func (o *operator) stretches(shape []int) ([]stretch, error) {
	list := make([]stretch, len(shape)+o.lead)
	axes := make([]int, len(list))
	for i := range list {
		n := 1
		if axes[i] = i; i >= o.lead {
			n = shape[i-o.lead]
		}
		list[i] = stretch{n, n, 1}
	}
	if a := o.attrs["axes"]; a != nil {
		var err error
		if axes, err = o.axes(len(list)); err != nil {
			return nil, err
		}
	}
	scales, sizes, err := o.scales()
	if err != nil {
		return nil, err
	}
	if len(scales) != len(axes) && len(sizes) != len(axes) {
		return nil, fmt.Errorf("scales or sizes are missing, or not one for each of %d axes", len(axes))
	}
	for i, a := range axes {
		s := &list[a]
		if sizes != nil {
			if a < o.lead && (o.batch > 0 && sizes[0] == int(o.batch) || sizes[0] == 1) {
				continue
			}
			s.out, s.scale = sizes[i], float64(sizes[i])/float64(s.in)
		} else if s.scale = scales[i]; s.scale > 0 && s.scale <= maxTensor {
			s.out = int(float64(s.in) * s.scale)
		} else {
			return nil, fmt.Errorf("a scale of %v is not positive or too large", s.scale)
		}
	}
	if o.lead > 0 && list[0].scale != 1 {
		return nil, errMixes
	}
	return list[o.lead:], nil
}

// scales reads the scales or else the sizes, from where the opset has them.
func (o *operator) scales() (scales []float64, sizes []int, err error) {
	if a := o.attrs["scales"]; a != nil { // Upsample 7
		for _, v := range a.Floats {
			scales = append(scales, float64(v))
		}
		return scales, nil, nil
	}
	at := 1
	if o.n.GetOpType() == "Resize" && o.opset >= 11 {
		at = 2 // after the region of interest
	}
	if c, err := o.fixed(at); err != nil {
		return nil, nil, err
	} else if c != nil && c.len() > 0 {
		scales, err = c.floats()
		return scales, nil, err
	}
	c, err := o.fixed(3)
	if err != nil || c == nil {
		return nil, nil, err
	}
	d := append([]dim{}, c.d...)
	if len(d) > 0 && d[0].rows && d[0].n == 1 { // as many rows as there are
		d[0] = dim{n: 1}
	}
	sizes, err = (&constant{d: d}).wholes()
	return nil, sizes, err
}

// source returns the position along the operand that position i stands for.
func (s stretch) source(mode string, i int) (float64, error) {
	x := float64(i)
	switch mode {
	case "asymmetric":
		return x / s.scale, nil
	case "half_pixel":
		return (x+0.5)/s.scale - 0.5, nil
	case "pytorch_half_pixel":
		if s.out > 1 {
			return (x+0.5)/s.scale - 0.5, nil
		}
		return 0, nil
	case "half_pixel_symmetric":
		adjust := float64(s.out) / (s.scale * float64(s.in))
		return float64(s.in)/2*(1-adjust) + (x+0.5)/s.scale - 0.5, nil
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / s.scale, nil
	case "align_corners":
		if s.out > 1 { // the length before it is rounded down
			return x * float64(s.in-1) / (s.scale*float64(s.in) - 1), nil
		}
		return 0, nil
	}
	return 0, fmt.Errorf("coordinate_transformation_mode %q is not supported; use half_pixel, align_corners or asymmetric", mode)
}

// interpolation returns the taps of one axis. Positions outside of the operand
// are those at its edge.
func (o *operator) interpolation(s stretch) (weighted, error) {
	w := weighted{make([][]int, 1), make([][]float64, 1)}
	if s.in == s.out && s.scale == 1 {
		for i := range s.in {
			w.at[0], w.weight[0] = append(w.at[0], i), append(w.weight[0], 1)
		}
		return w, nil
	}
	otherwise := "half_pixel"
	if o.opset < 11 {
		otherwise = "asymmetric"
	}
	mode := o.string("mode", "nearest")
	for i := range s.out {
		x, err := s.source(o.string("coordinate_transformation_mode", otherwise), i)
		if err != nil {
			return w, err
		}
		first, weights := 0, []float64{1}
		switch mode {
		case "nearest":
			first, err = o.nearest(x, s.scale)
		case "linear":
			first = int(math.Floor(x))
			weights = []float64{1 - (x - math.Floor(x)), x - math.Floor(x)}
		case "cubic":
			first = int(math.Floor(x)) - 1
			weights, err = o.cubic(x-math.Floor(x), first, s.in)
		default:
			err = fmt.Errorf("mode %q is not supported; use nearest, linear or cubic", mode)
		}
		if err != nil {
			return w, err
		}
		for len(w.at) < len(weights) {
			w.at, w.weight = append(w.at, nil), append(w.weight, nil)
		}
		for k, v := range weights {
			w.at[k], w.weight[k] = append(w.at[k], min(max(first+k, 0), s.in-1)), append(w.weight[k], v)
		}
	}
	return w, nil
}

// nearest rounds x. Before opset 11 it is rounded down, or up if that makes the
// axis shorter.
func (o *operator) nearest(x, scale float64) (int, error) {
	mode := o.string("nearest_mode", "round_prefer_floor")
	if o.opset < 11 {
		if mode = "floor"; scale < 1 {
			mode = "ceil"
		}
	}
	switch mode {
	case "round_prefer_floor":
		x = math.Ceil(x - 0.5)
	case "round_prefer_ceil":
		x = math.Floor(x + 0.5)
	case "floor":
		x = math.Floor(x)
	case "ceil":
		x = math.Ceil(x)
	default:
		return 0, fmt.Errorf("nearest_mode %q is unknown", mode)
	}
	return int(x), nil
}

// cubic returns the weights of the four positions from first on, at distance
// 1 + x, x, 1 − x and 2 − x, by Keys' kernel.
func (o *operator) cubic(x float64, first, n int) ([]float64, error) {
	a := o.float("cubic_coeff_a", -0.75)
	if !(math.Abs(a) <= 4) {
		return nil, fmt.Errorf("cubic_coeff_a of %v is not between -4 and 4", a)
	}
	near := func(d float64) float64 { return ((a+2)*d-(a+3))*d*d + 1 }
	far := func(d float64) float64 { return ((a*d-5*a)*d+8*a)*d - 4*a }
	w := []float64{far(1 + x), near(x), near(1 - x), far(2 - x)}
	if o.int("exclude_outside", 0) != 0 {
		sum := 0.0
		for k := range w {
			if first+k < 0 || first+k >= n {
				w[k] = 0
			}
			sum += w[k]
		}
		for k := range w {
			w[k] /= sum
		}
	}
	return w, nil
}
