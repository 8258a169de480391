package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
)

// serverFlags are those of commands that can ask a server. The secret itself is
// no flag: command lines are seen by everybody on the machine.
func serverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "server", EnvVars: []string{"HOST_SERVER"}, Usage: "`URL` ask this server (host serve) instead of the state folder"},
		&cli.StringFlag{Name: "token-file", EnvVars: []string{"HOST_TOKEN_FILE"}, Usage: "`FILE` the token for the server", DefaultText: "$HOST_TOKEN, else that of the state folder when it is this server's"},
	}
}

// serverNamed is the server that was named, "" when none was. A state folder on
// the command line goes before a server in the environment.
func (a *app) serverNamed() string {
	if a.given["state"] && !a.given["server"] {
		return ""
	}
	return strings.TrimRight(a.c.String("server"), "/")
}

// serverAtHand is the server that was named, else the one that has the state
// folder.
func (a *app) serverAtHand() (server, error) {
	if url := a.serverNamed(); url != "" {
		return a.dial(url)
	}
	dir, err := a.stateDir()
	if err != nil {
		return server{}, err
	}
	info, err := host.Served(dir)
	if err != nil {
		return server{}, &failure{exit: exitNotFound, message: fmt.Sprintf("no server has the state folder %s", clean(dir)),
			hint: "start one: " + a.again("serve", "FILE") + "; or name another one with --server URL"}
	}
	return a.dial(info.URL)
}

// dial makes a client of a server. Nothing is sent yet. A server that has the
// state folder and was named as localhost is asked where it listens: elsewhere
// under that name, on ::1, somebody else might listen for its token.
func (a *app) dial(url string) (server, error) {
	if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return server{}, usage("--server %s is no address of a server", clean(url)).with("write it like http://127.0.0.1:7070")
	}
	if dir, err := a.stateDir(); err == nil && strings.HasPrefix(url, "http://localhost:") {
		if info, err := host.Served(dir); err == nil && info.URL == strings.Replace(url, "localhost", "127.0.0.1", 1) {
			url = info.URL
		}
	}
	token, err := a.tokenFor(url)
	if err != nil {
		return server{}, err
	}
	return server{host.Dial(url, token)}, nil
}

// tokenFor is the token to show to a server: that of --token-file, of
// HOST_TOKEN, or the admin token of the state folder when the server is the one
// that has it. "" where there is none: a server may need none.
func (a *app) tokenFor(url string) (string, error) {
	if file := a.c.String("token-file"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", usage("--token-file: %v", err)
		}
		if token := strings.TrimSpace(string(text)); token != "" {
			return token, nil
		}
		return "", usage("--token-file: there is nothing in %s", clean(file))
	}
	if token := strings.TrimSpace(os.Getenv("HOST_TOKEN")); token != "" {
		return token, nil
	}
	dir, err := a.stateDir()
	if err != nil {
		return "", nil
	}
	if info, err := host.Served(dir); err != nil || info.URL != url {
		return "", nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", &failure{exit: exitUnauthorised, message: fmt.Sprintf("the admin token of the server cannot be read: %v", err),
			hint: "only who started the server may read it; ask for a token of your own (host tokens add) and give it with --token-file"}
	}
	return strings.TrimSpace(string(text)), nil
}
