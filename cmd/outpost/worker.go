package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"outpost/jobs"
)

func (p *program) workerCommand() *cobra.Command {
	var queues string
	cmd := p.command("worker [--queues revoke,provision:20,…]", "Run operations from the queues", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		concurrency, err := parseQueues(queues)
		if err != nil {
			return err
		}
		c, err := readConfig(p.environ, true)
		if err != nil {
			return err
		}
		return p.serve(ctx, c, role{name: "worker", worker: concurrency})
	})
	cmd.Long = `Run operations from the queues, or from the database while Redis is away or not configured. Any number may run.
--queues takes classes, each with how many operations run at once where the default is not wanted:
  ` + classList(", ") + "."
	cmd.Flags().StringVar(&queues, "queues", "", "`classes` to run (default all of them)")
	return cmd
}

// mostAtOnce bounds the operations of one class that one process runs at once.
const mostAtOnce = 1000

// parseQueues reads class or class:N, separated by commas; nothing is every class.
func parseQueues(s string) (map[jobs.Class]int, error) {
	if strings.TrimSpace(s) == "" {
		return allClasses(), nil
	}
	defaults, chosen := allClasses(), map[jobs.Class]int{}
	for part := range strings.SplitSeq(s, ",") {
		name, number, numbered := strings.Cut(strings.TrimSpace(part), ":")
		class := jobs.Class(name)
		n, known := defaults[class]
		if !known {
			return nil, wrongUsage("--queues: there is no class %q: the classes are %s", name, classNames())
		}
		if _, twice := chosen[class]; twice {
			return nil, wrongUsage("--queues: the class %s is there twice", name)
		}
		if numbered {
			var err error
			if n, err = strconv.Atoi(number); err != nil || n < 1 || n > mostAtOnce {
				return nil, wrongUsage("--queues: after %s: comes a number from 1 to %d, as in %s:20", name, mostAtOnce, name)
			}
		}
		chosen[class] = n
	}
	return chosen, nil
}

func classNames() string {
	var names []string
	for _, c := range jobs.Classes {
		names = append(names, string(c.Class))
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// classList is every class with its default.
func classList(separator string) string {
	var all []string
	for _, c := range jobs.Classes {
		all = append(all, string(c.Class)+":"+strconv.Itoa(c.Concurrency))
	}
	return strings.Join(all, separator)
}
