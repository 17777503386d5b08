//go:build !linux

package testkit

import "syscall"

// dieWithParent has no counterpart outside Linux: there Main and the tests' cleanups end the children, and an interrupt
// from the keyboard reaches them as members of the terminal's process group.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// childrenOf is not needed where nothing can be listed cheaply: Postgres backends notice a dead postmaster themselves.
func childrenOf(int) []int { return nil }

func memoryBase() string { return "" }
