package bench

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/cpu"
)

// A Machine is where, and what, was measured.
type Machine struct {
	Commit   string   `json:"commit"` // of the build, or of the checkout it runs in
	Modified bool     `json:"modified,omitempty"`
	Go       string   `json:"go"`
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	CPU      string   `json:"cpu"`
	Cores    int      `json:"cores"`
	Features []string `json:"features"` // of the processor, as far as kernels use them
}

// ThisMachine describes this process.
func ThisMachine() Machine {
	m := Machine{
		Commit: "unknown", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPU: processor(), Cores: runtime.GOMAXPROCS(0), Features: []string{},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				m.Commit = s.Value
			case "vcs.modified":
				m.Modified = s.Value == "true"
			}
		}
	}
	if m.Commit == "unknown" {
		m.Commit, m.Modified = checkout()
	}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"aes", cpu.X86.HasAES || cpu.ARM64.HasAES}, {"avx2", cpu.X86.HasAVX2}, {"avx512f", cpu.X86.HasAVX512F},
		{"avx512dq", cpu.X86.HasAVX512DQ}, {"avx512ifma", cpu.X86.HasAVX512IFMA}, {"vaes", cpu.X86.HasAVX512VAES},
		{"gfni", cpu.X86.HasAVX512GFNI}, {"neon", cpu.ARM64.HasASIMD},
	} {
		if f.has {
			m.Features = append(m.Features, f.name)
		}
	}
	return m
}

// checkout returns the commit of the working directory if that is a checkout of
// this module, for builds that do not know theirs.
func checkout() (commit string, modified bool) {
	mod, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(mod), "module github.com/tacit-mpc/tacit\n") {
		return "unknown", false
	}
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").Output()
	if err != nil {
		return "unknown", false
	}
	commit, modified = strings.CutSuffix(strings.TrimSpace(string(out)), "-dirty")
	return commit, modified
}

// processor returns the name of the processor, where the system tells it.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
