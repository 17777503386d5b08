package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// BuildBinary is the path of the outpost program, built once per process from the tree the test belongs to, as make build
// does it.
func BuildBinary(t testing.TB) string {
	t.Helper()
	path, err := buildOutpost()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildOutpost = sync.OnceValues(func() (string, error) { return build("./cmd/outpost", "outpost") })

// build compiles a package of the module, named from its root.
func build(pkg, name string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(root, pkg)); err != nil {
		return "", fmt.Errorf("build %s: %w", pkg, err)
	}
	dir, err := tempDir(diskRoot, "bin")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-tags=timetzdata", "-o", path, pkg)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, output)
	}
	return path, nil
}

// moduleRoot is the nearest directory above the test's package that holds a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find go.mod: no directory above the test has one")
		}
		dir = parent
	}
}
