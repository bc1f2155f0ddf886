package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asTacit makes this test binary behave as the command, for the processes that
// the command starts of itself.
const asTacit = "TACIT_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asTacit) != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){
		"tacit": func() {
			os.Setenv(asTacit, "1")
			os.Exit(run())
		},
	})
}

// TestScripts runs the sessions in testdata, which do what README.md says, with
// real processes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("EXAMPLES", examplesDir(t))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports":      fillPorts,
			"identities": fillIdentities,
			"up":         waitForCluster,
			"lookup":     writeLookup,
			"picture":    writePicture,
			"array":      writeArray,
		},
	})
}
