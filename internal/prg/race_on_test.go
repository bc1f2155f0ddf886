//go:build race

package prg

const raceEnabled = true
