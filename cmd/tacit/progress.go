package main

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// A bar shows progress on standard error, if a person looks at it.
type bar struct{ p *progressbar.ProgressBar }

// progress starts a bar of so many steps; −1 for an unknown number.
func progress(steps int, what string) bar {
	if !terminal(os.Stderr) {
		return bar{}
	}
	return bar{progressbar.NewOptions(steps, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionShowCount(),
		progressbar.OptionSpinnerType(14))}
}

func (b bar) add(n int) {
	if b.p != nil {
		_ = b.p.Add(n) // a broken terminal must not stop the work
	}
}

func (b bar) finish() {
	if b.p != nil {
		_ = b.p.Finish()
	}
}
