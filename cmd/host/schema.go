package main

import (
	"github.com/urfave/cli/v2"

	"wasmhost/host/workflow"
)

func (a *app) schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print the JSON Schema of workflow files",
		Description: `Editors complete and check workflow files with it: save it as workflow.schema.json and begin files
with "#:schema ./workflow.schema.json".`,
		Action: a.action(0, 0, forms, func() error {
			if a.format == "quiet" {
				return nil
			}
			text := workflow.JSONSchema()
			if len(text) > 0 && text[len(text)-1] != '\n' {
				text = append(text[:len(text):len(text)], '\n')
			}
			_, err := a.out.Write(text)
			return err
		}),
	}
}
