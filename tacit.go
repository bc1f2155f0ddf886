// Package tacit is private inference among organisations that do not collude.
//
// The programs and packages are below; start with README.md and
// docs/architecture.md. This package has the tests of the repository as a whole.
package tacit
