package pluginsdk

// Health is the body of the export `health`. The plugin is healthy when check
// returns no error; the details are kept by the host beside the verdict. They
// may be nil.
func Health(check func(Call) (details map[string]any, err error)) int32 {
	return Run(func(c Call, _ []byte) (map[string]any, error) {
		details, err := check(c)
		if err != nil {
			return nil, err
		}
		report := map[string]any{}
		for k, v := range details {
			report[k] = v
		}
		report["healthy"] = true
		return report, nil
	})
}
