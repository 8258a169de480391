package plugin

// Permissions are what the plugin may really do, in words: what the workflow
// grants and the plugin's own description asks for, as far as its imports can
// make use of it. Such as "http https://api.example.com", "fs /data (rw)",
// "env LANG", "secret llm_key".
func (p *Plugin) Permissions() []string { return nil }
