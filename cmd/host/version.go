package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is the version of the command; a release build sets it with -ldflags
// -X main.version=….
var version = "0.1.0"

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Dirty   bool   `json:"dirty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func currentVersion() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.modified":
				v.Dirty = s.Value == "true"
			}
		}
	}
	return v
}

func (a *app) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		Action: a.action(0, 0, forms, func() error {
			v := currentVersion()
			switch a.format {
			case "json", "jsonl":
				return writeJSON(a.out, v, a.format == "json")
			case "quiet":
				return nil
			}
			commit := ""
			if v.Commit != "" {
				commit = ", commit " + v.Commit[:min(12, len(v.Commit))]
				if v.Dirty {
					commit += " with changes"
				}
			}
			_, err := fmt.Fprintf(a.out, "host %s (%s %s/%s%s)\n", v.Version, v.Go, v.OS, v.Arch, commit)
			return err
		}),
	}
}
