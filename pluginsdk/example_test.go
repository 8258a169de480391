package pluginsdk_test

import (
	"fmt"
	"strings"

	"wasmhost/pluginsdk"
	"wasmhost/pluginsdk/pluginsdktest"
)

type greeting struct {
	Name string `json:"name"`
}

func greet(c pluginsdk.Call, in greeting) (string, error) {
	if in.Name == "" {
		return "", pluginsdk.Permanent("no_name", "there is nobody to greet: set `name`")
	}
	return c.ConfigOr("word", "Hello") + ", " + strings.TrimSpace(in.Name) + "!", nil
}

// In a plugin this function carries the comment //go:wasmexport run.
func run() int32 { return pluginsdk.Run(greet) }

// A plugin's exports run in ordinary tests, with a host made of maps.
func Example() {
	host := pluginsdktest.Host{Config: map[string]string{"word": "Servus"}}
	fmt.Println(string(host.Run(run, greeting{Name: "Ada"}).Output))
	fmt.Println(host.Run(run, "{}").Error)
	// Output:
	// Servus, Ada!
	// no_name: there is nobody to greet: set `name`
}
