package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestCommittedFilesAreCurrent generates afresh and compares. The first line
// names the command with its paths.
func TestCommittedFilesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	asm, stubs := filepath.Join(dir, "k.s"), filepath.Join(dir, "s.go")
	if out, err := exec.Command("go", "run", ".", "-out", asm, "-stubs", stubs, "-pkg", "prg").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for fresh, committed := range map[string]string{asm: "../kernels_amd64.s", stubs: "../stubs_amd64.go"} {
		a, err := os.ReadFile(fresh)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(committed)
		if err != nil {
			t.Fatal(err)
		}
		_, a, _ = bytes.Cut(a, []byte("\n"))
		_, b, _ = bytes.Cut(b, []byte("\n"))
		if !bytes.Equal(a, b) {
			t.Errorf("%s is not what the generator writes: run go generate", committed)
		}
	}
}

// TestAVX2KernelsNeedNoAVX512 reads what the generator found the instructions to
// require: this machine may have more than those that take these kernels.
func TestAVX2KernelsNeedNoAVX512(t *testing.T) {
	text, err := os.ReadFile("../kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sumVAES256"} {
		m := regexp.MustCompile(`// Requires: (.*)\nTEXT ·` + name + `\(`).FindSubmatch(text)
		if m == nil {
			t.Errorf("%s is not there", name)
		} else if bytes.Contains(m[1], []byte("AVX512")) {
			t.Errorf("%s requires %s", name, m[1])
		}
	}
}
