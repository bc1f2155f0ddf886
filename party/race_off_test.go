//go:build !race

package party

import "time"

// slow says that everything takes ten times as long.
const slow = false

// liveness is how soon a peer that shows no sign of life is given up.
const liveness = 4 * time.Second
