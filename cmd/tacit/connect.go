package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/client"
	"github.com/tacit-mpc/tacit/configs"
	"github.com/tacit-mpc/tacit/model"
	"github.com/tacit-mpc/tacit/transport/p2p"
)

// dial returns a client of the cluster that a file describes.
func dial(ctx context.Context, file string) (*client.Client, error) {
	cluster, err := configs.LoadCluster(file)
	if err != nil {
		return nil, err
	}
	id, err := p2p.LoadIdentity(cluster.IdentityFile)
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, *cluster, id)
}

// hintFor returns what may be done about an error, or nothing.
func hintFor(err error) string {
	if e, ok := errors.AsType[*usageError](err); ok {
		return e.hint
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Hint
	}
	return ""
}

// compile loads an ONNX file and compiles it, for ranges that samples suggest.
func compile(c *cobra.Command, file string, samples *table, ranges *rangeFlags) (*model.Model, error) {
	o, err := ranges.options(c)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if b, err = fixed(b, ranges.constants); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	g, err := model.LoadSplit(b, ranges.edge...)
	if errors.Is(err, model.ErrConstant) {
		return nil, &usageError{fmt.Errorf("%s: %w", file, err), "give inputs that are weights, shapes or other parameters as --constant NAME=FILE"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if samples != nil {
		if err := samples.join(g.RowParts(), o.Image); err != nil {
			return nil, err
		}
		o.Calibration = samples.rows
	}
	m, err := model.Compile(g, o)
	if errors.Is(err, model.ErrLookup) {
		if points, none := model.CutPoints(b); none == nil {
			return nil, &usageError{fmt.Errorf("%s: %w", file, err), "--edge " + model.Cuts(points)}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}
