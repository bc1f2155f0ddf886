package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tacit-mpc/tacit/model"
)

// rangeFlags are the flags that say which inputs a model is compiled for.
type rangeFlags struct {
	bits      int
	lo, hi    float64
	calibrate []string
	constants []string
	reveal    string
	maxError  float64
	edge      []string
	image     string
}

func (f *rangeFlags) add(c *cobra.Command) {
	c.Flags().IntVar(&f.bits, "fraction-bits", 0, "fraction bits of activations (default: chosen by the compiler)")
	c.Flags().Float64Var(&f.lo, "lo", 0, "smallest input; with --hi")
	c.Flags().Float64Var(&f.hi, "hi", 0, "largest input; with --lo")
	c.Flags().StringVar(&f.reveal, "reveal", "", "what of the output the client sees: scores, probabilities, label, top:K or threshold:T (default scores)")
	c.Flags().Float64Var(&f.maxError, "max-error", 0, "choose the fraction bits for this error of the outputs (before a final Softmax or Sigmoid)")
	c.Flags().StringSliceVar(&f.edge, "edge", nil, "make public what comes before this tensor of the ONNX graph: clients compute it, parties begin with it; a list of several")
	c.Flags().StringVar(&f.image, "image", "", "take .png and .jpg files as inputs: order of the axes and divisor of the samples, chw/255, hwc/255, chw/1, …, and /MEANS/DEVIATIONS")
	c.Flags().StringArrayVar(&f.constants, "constant", nil, "make a constant of an input of the ONNX graph, NAME=FILE: a weight, or a shape or another parameter of an operator")
	c.MarkFlagsRequiredTogether("lo", "hi")
	c.MarkFlagsMutuallyExclusive("fraction-bits", "max-error")
}

// addSamples adds --calibrate, which does more where more says so.
func (f *rangeFlags) addSamples(c *cobra.Command, more string) {
	c.Flags().StringArrayVar(&f.calibrate, "calibrate", nil,
		"sample inputs, .npy, .csv, .json, .pb or pictures, NAME=FILE for each of several inputs: ranges follow from them, with a margin"+more)
}

// samples reads the calibration rows, if there are any.
func (f *rangeFlags) samples() (*table, error) {
	if len(f.calibrate) == 0 {
		return nil, nil
	}
	return readInputs(f.calibrate)
}

// options returns the compiler's options for sample rows, which may be none.
func (f *rangeFlags) options(c *cobra.Command) (model.Options, error) {
	o := model.Options{FractionBits: f.bits, MaxError: f.maxError}
	if f.reveal != "" {
		var err error
		if o.Policy, err = model.ParsePolicy(f.reveal); err != nil {
			return o, &usageError{err, "for example --reveal label, --reveal top:3, --reveal threshold:0.5"}
		}
	}
	if f.image != "" {
		var err error
		if o.Image, err = model.ParseImage(f.image); err != nil {
			return o, &usageError{err, "for example --image chw/255 for samples from 0 to 1, channels first"}
		}
	}
	if c.Flags().Changed("lo") {
		o.InputLo, o.InputHi = &f.lo, &f.hi
	}
	return o, nil
}

func deployCommand() *cobra.Command {
	var cluster, name string
	var asJSON bool
	var ranges rangeFlags
	var comparison comparisonFlags
	c := &cobra.Command{
		Use:   "deploy MODEL.onnx --cluster FILE --name NAME",
		Short: "Share a model's weights among the parties",
		Long: `Compile an ONNX file and deal shares of its weights to the parties. No party
learns a weight. Architecture, shapes and number formats become known to all
parties and to the model's users.

The range of inputs is fixed here: --lo and --hi, or sample inputs with
--calibrate, which also make the numbers narrower and so the predictions faster.
Without either, inputs from -8 to 8 are assumed. Inputs outside are refused when
someone asks for a prediction.

What comes before the tensors that --edge names is public: it is sent to clients,
who compute it in the clear, such as a lookup of words. Ranges are then those of
the tensors. With --image, pictures are inputs: chw/255, or with means and
deviations chw/255/0.485,0.456,0.406/0.229,0.224,0.225.`,
		Example: "  tacit deploy model.onnx --cluster cluster.yaml --name tumour --calibrate samples.npy",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			samples, err := ranges.samples()
			if err != nil {
				return err
			}
			m, err := compile(c, args[0], samples, &ranges)
			if err != nil {
				return err
			}
			cl, err := dial(c.Context(), cluster)
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := comparison.choose(m, cl.Parties()); err != nil {
				return err
			}
			if m.Manifest.Assumed {
				fmt.Fprintf(os.Stderr, "no input range given: %g to %g is assumed, and others are refused; see --lo, --hi, --calibrate\n",
					m.Manifest.Input.Lo, m.Manifest.Input.Hi)
			}
			d, err := cl.Deploy(c.Context(), name, m)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{
					"model": name, "version": d.Version, "number": d.Number, "manifest": d.Manifest,
					"ulp_bound": m.Manifest.UlpBound(cl.Parties()), "fraction_bits": m.Manifest.Output.Frac,
					"comparison": m.Manifest.Comparison,
				})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: version %d (%s) is served by %d parties\n", name, d.Number, d.Version.Short(), cl.Parties())
			return err
		},
	}
	c.Flags().StringVarP(&cluster, "cluster", "c", "cluster.yaml", "the cluster, as `tacit cluster init` wrote it for this client")
	c.Flags().StringVarP(&name, "name", "n", "", "name under which the model is served; one that the deployment lists")
	ranges.addSamples(c, "")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	ranges.add(c)
	comparison.add(c)
	if err := c.MarkFlagRequired("name"); err != nil {
		panic(err)
	}
	return c
}
