package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"wasmhost/host"
)

// scopes are what a token can be good for, each for what those before it are too.
var scopes = []string{"read", "run", "approve", "admin"}

// telling are the forms of commands that tell a secret once: made and told to
// nobody it would be of no use.
var telling = []string{"text", "json", "jsonl"}

// tokenKeeper has the tokens: a server, or the state folder while none runs.
type tokenKeeper interface {
	Tokens(ctx context.Context) ([]host.TokenInfo, error)
	AddToken(ctx context.Context, name string, scope host.Scope) (secret string, err error)
	RemoveToken(ctx context.Context, name string) error
}

// tokenFolder is the tokens of a state folder. What is changed there a server
// that has the folder knows at once.
type tokenFolder struct{ file *host.Tokens }

func (f tokenFolder) Tokens(context.Context) ([]host.TokenInfo, error) { return f.file.List() }

func (f tokenFolder) AddToken(_ context.Context, name string, scope host.Scope) (string, error) {
	return f.file.Add(name, scope)
}

func (f tokenFolder) RemoveToken(_ context.Context, name string) error { return f.file.Remove(name) }

// tokenKeeper is the server at hand, so that its audit has the change, else the
// state folder.
func (a *app) tokenKeeper() (tokenKeeper, error) {
	if url := a.serverNamed(); url != "" {
		return a.dial(url)
	}
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	if info, err := host.Served(dir); err == nil {
		if s, err := a.dial(info.URL); err == nil && !isAway(s.alive(a.ctx)) {
			return s, nil
		}
	}
	t, err := host.OpenTokens(dir)
	if err != nil {
		return nil, refused(err)
	}
	return tokenFolder{t}, nil
}

func (a *app) tokensAddCommand() *cli.Command {
	return &cli.Command{
		Name: "tokens add", ArgsUsage: "NAME", Usage: "make a token",
		Description: `The secret goes to stdout, and is shown this once. NAME says in the audit who did something. Each scope
is good for what those before it are too:

  read     see everything
  run      start, cancel, resume and retry runs
  approve  answer nodes that wait for a person
  admin    swap plugins, set breakers, delete runs, manage tokens`,
		Flags: append([]cli.Flag{&cli.StringFlag{Name: "scope", Usage: "`SCOPE` " + strings.Join(scopes, ", "), DefaultText: "read"}}, serverFlags()...),
		Action: a.action(1, 1, telling, func() error {
			scope := a.c.String("scope")
			if scope == "" {
				scope = "read"
			}
			name := a.c.Args().First()
			k, err := a.tokenKeeper()
			if err != nil {
				return err
			}
			secret, err := k.AddToken(a.ctx, name, host.Scope(scope))
			if err != nil {
				return a.runFailed(err)
			}
			switch a.format {
			case "json", "jsonl":
				return writeJSON(a.out, map[string]string{"name": name, "scope": scope, "secret": secret}, a.format == "json")
			default:
				a.say("token %s may %s; this is the only time that it is shown:", clean(name), scope)
				_, err = fmt.Fprintln(a.out, secret)
			}
			return err
		}),
	}
}

func (a *app) tokensListCommand() *cli.Command {
	return &cli.Command{
		Name: "tokens list", Usage: "list the tokens, without their secrets", Flags: serverFlags(),
		Action: a.action(0, 0, forms, func() error {
			k, err := a.tokenKeeper()
			if err != nil {
				return err
			}
			all, err := k.Tokens(a.ctx)
			if err != nil {
				return a.runFailed(err)
			}
			if written, err := writeList(a, all); written {
				return err
			}
			if len(all) == 0 {
				a.say("no tokens but that of the state folder")
				return nil
			}
			rows := [][]string{{"NAME", "SCOPE", "MADE", "LAST USED"}}
			for _, t := range all {
				rows = append(rows, []string{clean(t.Name), clean(string(t.Scope)), stamp(t.Created), stamp(t.LastUsed)})
			}
			return writeTable(a.out, rows, 0)
		}),
	}
}

func (a *app) tokensRemoveCommand() *cli.Command {
	return &cli.Command{
		Name: "tokens remove", ArgsUsage: "NAME", Usage: "take a token back, with the sessions of who has it", Flags: serverFlags(),
		Action: a.action(1, 1, forms, func() error {
			name := a.c.Args().First()
			k, err := a.tokenKeeper()
			if err != nil {
				return err
			}
			if err := k.RemoveToken(a.ctx, name); err != nil {
				return a.notThere(err, a.again("tokens", "list")+" shows the tokens that there are")
			}
			if a.format == "text" {
				a.say("token %s is removed: it is refused from now on", clean(name))
			}
			return nil
		}),
	}
}

func (a *app) tokensLoginCommand() *cli.Command {
	return &cli.Command{
		Name: "tokens login", Usage: "print a link that logs a browser in, once",
		Description: `The link works for ten minutes, and the session that it opens may do everything. Others than the owner of
the server log in at /login with a token of their own.`,
		Flags: serverFlags(),
		Action: a.action(0, 0, telling, func() error {
			s, err := a.serverAtHand()
			if err != nil {
				return err
			}
			link, err := s.LoginLink(a.ctx)
			if err != nil {
				return a.runFailed(err)
			}
			switch a.format {
			case "json", "jsonl":
				return writeJSON(a.out, map[string]string{"url": link}, a.format == "json")
			default:
				_, err = fmt.Fprintln(a.out, link)
			}
			return err
		}),
	}
}
