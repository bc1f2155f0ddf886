//go:build !race

package party

// slow says that everything takes ten times as long.
const slow = false
