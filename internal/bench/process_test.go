package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestProcessesAreMeasured(t *testing.T) {
	if _, ok := CPUTime(-1); ok {
		t.Error("no process has computed")
	}
	if _, ok := PeakMemory(-1); ok {
		t.Error("no process has memory")
	}
	if runtime.GOOS != "linux" {
		return
	}
	before, ok := CPUTime(os.Getpid())
	if !ok {
		t.Fatal("no time")
	}
	for x, start := 0, time.Now(); time.Since(start) < 20*time.Millisecond; x++ {
		_ = x
	}
	if after, _ := CPUTime(os.Getpid()); after <= before {
		t.Errorf("computed %v, then %v", before, after)
	}
	if b, ok := PeakMemory(os.Getpid()); !ok || b < 1<<20 {
		t.Errorf("peak of %d bytes", b)
	}
}

func TestProfilesAreWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p")
	ran := false
	if err := Profile(file, func() error { ran = true; return nil }); err != nil || !ran {
		t.Fatal(err)
	}
	for _, f := range []string{file + ".cpu.pprof", file + ".heap.pprof"} {
		if info, err := os.Stat(f); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := Profile(filepath.Join(file, "x"), func() error { return nil }); err == nil {
		t.Error("a directory that does not exist is written to")
	}
}
