package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (p *program) versionCommand() *cobra.Command {
	return p.command("version", "Print the version", cobra.NoArgs, func(context.Context, []string) error {
		_, err := fmt.Fprintln(p.stdout, version())
		return err
	})
}

// version is what the build knows about itself.
func version() string {
	return fmt.Sprintf("outpost %s %s %s/%s", release(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// release names the program's own version: its tag, or the commit it was built from.
func release() string {
	text := "development"
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		text = info.Main.Version
	}
	settings := map[string]string{}
	if ok {
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
	}
	if revision := settings["vcs.revision"]; revision != "" {
		text += " " + revision[:min(12, len(revision))]
		if settings["vcs.modified"] == "true" {
			text += " (modified)"
		}
	}
	return text
}
