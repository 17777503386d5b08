package worker_test

import (
	"testing"

	"outpost/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
