//go:build !amd64 || purego

package ring

// packGroups packs the first elements and returns how many, a multiple of 8.
func packGroups([]byte, []uint64, int) int { return 0 }

// unpackGroups reads the first elements and returns how many, a multiple of 8.
func unpackGroups([]uint64, []byte, int) int { return 0 }

// addGroups adds the first elements and returns how many, a multiple of 8.
func addGroups([]uint64, []byte, int) int { return 0 }
