//go:build !unix

package main

import "os"

// lock does nothing where there is no flock: two outpost dev in one folder are then not noticed.
func lock(*os.File) error { return nil }
