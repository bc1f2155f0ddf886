package model

import (
	"errors"
	"fmt"
)

// pad lowers Pad with zeros, as PyTorch writes it before an AveragePool.
// Negative pads cut elements off.
func (o *operator) pad() error {
	t, err := o.secret(0)
	if err != nil {
		return err
	}
	if mode := o.string("mode", "constant"); mode != "constant" {
		return fmt.Errorf("mode %q is not supported; pad with zeros", mode)
	}
	if v := o.float("value", 0); v != 0 {
		return fmt.Errorf("padding with %v is not supported; pad with zeros", v)
	}
	if o.input(2) != "" {
		_, f, err := o.numbers(2)
		if err != nil {
			return err
		}
		if len(f) != 1 || f[0] != 0 {
			return fmt.Errorf("padding with %v is not supported; pad with zeros", f)
		}
	}
	lo, hi, err := o.pads(len(t.shape) + 1)
	if err != nil {
		return err
	}
	if lo[0] != 0 || hi[0] != 0 {
		return errors.New("it would pad the batch; leave axis 0 out")
	}
	shape := make([]int, len(t.shape))
	for i, d := range t.shape {
		if max(lo[i+1], hi[i+1]) > maxWindow || min(lo[i+1], hi[i+1]) < -maxWindow {
			return fmt.Errorf("pads %d and %d are too large", lo[i+1], hi[i+1])
		}
		shape[i] = lo[i+1] + d + hi[i+1]
	}
	if err := checkShape(shape); err != nil {
		return err
	}
	if err := o.spend(2 * size(shape)); err != nil {
		return err
	}
	return o.set(o.view(t, shape, padded(t.shape, shape, lo[1:])))
}

// padded lists the elements of a tensor of shape old with lo[i] zeros, or minus
// as many elements fewer, before axis i of the new shape.
func padded(old, shape, lo []int) []int32 {
	index := []int32{0}
	for i, stride := range strides(old) {
		next := make([]int32, 0, len(index)*shape[i])
		for _, base := range index {
			for p := range shape[i] {
				if p -= lo[i]; base < 0 || p < 0 || p >= old[i] {
					next = append(next, -1)
				} else {
					next = append(next, base+int32(p*stride))
				}
			}
		}
		index = next
	}
	return index
}

// pads reads the pads of every axis of a tensor of rank axes.
func (o *operator) pads(rank int) (lo, hi []int, err error) {
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if c, err := o.fixed(3); err != nil {
		return nil, nil, err
	} else if c != nil {
		if axes, err = c.wholes(); err != nil {
			return nil, nil, err
		}
	}
	pads, err := o.ints("pads", 2*len(axes), 0)
	if err != nil {
		return nil, nil, err
	}
	if c, err := o.fixed(1); err != nil {
		return nil, nil, err
	} else if c != nil {
		if pads, err = c.wholes(); err != nil {
			return nil, nil, err
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, nil, fmt.Errorf("%d pads for %d axes", len(pads), len(axes))
	}
	lo, hi = make([]int, rank), make([]int, rank)
	for i, a := range axes {
		if a, err = axis(a, rank); err != nil {
			return nil, nil, err
		}
		lo[a], hi[a] = pads[i], pads[len(axes)+i]
	}
	return lo, hi, nil
}
