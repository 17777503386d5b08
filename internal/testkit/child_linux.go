package testkit

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// childrenOf lists the direct children of a process.
func childrenOf(pid int) []int {
	var children []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		// "pid (name) state ppid …"; the name may contain anything, a bracket too.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(pid) {
			continue
		}
		if id, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			children = append(children, id)
		}
	}
	return children
}

// memoryBase is the system's file system in memory, if it has room for a cluster (a container often gives it 64 MB),
// and unless somebody has said where temporary files go. There a new database takes 20 ms, on a slow disk 200.
func memoryBase() string {
	const shm, tmpfs, room = "/dev/shm", 0x01021994, 2 << 30
	var stat syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(shm, &stat) != nil || stat.Type != tmpfs {
		return ""
	}
	if stat.Bavail*uint64(stat.Bsize) < room {
		return ""
	}
	return shm
}
