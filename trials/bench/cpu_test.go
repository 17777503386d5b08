//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// meter measures processor time: of this process and all that it started, and of the whole machine. It reads /proc and
// measures nothing where there is none.
type meter struct {
	start         time.Time
	ours, machine time.Duration
	ok            bool
}

func newMeter() meter {
	m := meter{start: time.Now()}
	var known bool
	m.ours, known = ourTime()
	m.machine, m.ok = machineTime()
	m.ok = m.ok && known
	return m
}

// spent is the processor time that the client, the servers, Postgres and Redis have used since.
func (m meter) spent() (time.Duration, bool) {
	now, ok := ourTime()
	return now - m.ours, ok && m.ok
}

// others is the part of the processors that went to everything else since, from 0 to 1.
func (m meter) others() (float64, bool) {
	ours, ok := m.spent()
	machine, known := machineTime()
	all := time.Since(m.start).Seconds() * float64(runtime.NumCPU())
	return max(0, (machine-m.machine-ours).Seconds()/all), ok && known
}

// tick is the unit of /proc: a hundredth of a second on every Linux that Go runs on.
const tick = time.Second / 100

// ourTime adds up this process, its descendants, and the children that they have seen end.
func ourTime() (time.Duration, bool) {
	type process struct {
		parent int
		used   time.Duration
	}
	all := map[int]process{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		// "pid (name) state ppid …"; the name may contain anything, a bracket too.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) > 14 {
			all[pid] = process{int(number(fields[1])), ticks(fields[11:15])} // utime, stime, cutime, cstime
		}
	}
	var sum time.Duration
	for pid, p := range all {
		for at := pid; at != 0; at = all[at].parent {
			if at == os.Getpid() {
				sum += p.used
				break
			}
		}
	}
	return sum, len(all) > 0
}

// machineTime is how long all processors together have been busy.
func machineTime() (time.Duration, bool) {
	stat, err := os.ReadFile("/proc/stat")
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line) // cpu user nice system idle iowait irq softirq steal …
	if err != nil || len(fields) < 9 {
		return 0, false
	}
	return ticks(fields[1:4]) + ticks(fields[6:9]), true
}

func ticks(fields [][]byte) (sum time.Duration) {
	for _, f := range fields {
		sum += time.Duration(number(f)) * tick
	}
	return sum
}

func number(field []byte) int64 {
	n, _ := strconv.ParseInt(string(field), 10, 64)
	return n
}

// busyMachine is a sentence on how much the figures can be trusted.
func busyMachine(m meter) string {
	others, ok := m.others()
	if !ok {
		return "How busy the machine was with other work is not known here."
	}
	said := fmt.Sprintf("Other work took %.0f %% of the processors meanwhile", 100*others)
	if others > 0.1 {
		return said + ": rates and times are worse than they are on a quiet machine, and their ratios uncertain. Processor time suffers less."
	}
	return said + "."
}
