package main

import (
	"github.com/urfave/cli/v2"

	"wasmhost/host/workflow"
)

func (a *app) graphCommand() *cli.Command {
	return &cli.Command{
		Name: "graph", ArgsUsage: "FILE", Usage: "draw a workflow",
		Description: `-o ascii (default), svg, mermaid, dot or json. Error edges are dashed; conditions, fallbacks and the
fallback workflows are shown.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "expand", EnvVars: []string{"HOST_EXPAND"}, Usage: "draw sub-workflows too"},
			&cli.IntFlag{Name: "width", EnvVars: []string{"HOST_WIDTH"}, Usage: "`COLUMNS` how wide ascii may be", DefaultText: "the terminal's, or 80"},
			anyHostFlag(),
		},
		Action: a.action(1, 1, workflow.GraphFormats, func() error {
			width := a.c.Int("width")
			if width < 0 || a.given["width"] && width < 20 {
				return usage("--width %d is too little: give at least 20 columns", width)
			}
			if width == 0 {
				width, _ = size(a.out)
			}
			h, err := a.open()
			if err != nil {
				return err
			}
			defer a.close(h)
			w, err := a.load(h, a.c.Args().First())
			if err != nil {
				return err
			}
			drawn, err := w.Plan().Graph(a.format, workflow.GraphOptions{
				Width: width, Plain: !utf8Terminal(), Expand: a.c.Bool("expand"),
			})
			if err != nil {
				return err
			}
			_, err = a.out.Write(drawn)
			return err
		}),
	}
}
