//go:build !wasip1

package pluginsdk

// outerHost is the host around an ordinary program: there is none.
func outerHost() Host {
	panic("pluginsdk: there is no host: outside WebAssembly a plugin's exports run only under pluginsdktest")
}
