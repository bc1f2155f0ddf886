package bench

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
)

// Profile runs f and writes where it spent time to file.cpu.pprof, and what it
// allocated and holds to file.heap.pprof, for go tool pprof.
func Profile(file string, f func() error) (err error) {
	cpu, err := os.Create(file + ".cpu.pprof")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return errors.Join(err, cpu.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, cpu.Close(), heap(file+".heap.pprof"))
}

func heap(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	runtime.GC() // for figures that are up to date
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
