package main

// explained is what `host explain` says of an exit code or an error code.
type explained struct {
	about string
	next  string // what to do, in a sentence without its full stop
}

var exitCodes = map[string]explained{
	"0":   {"The run succeeded, or the command did what it was asked. A degraded run counts as succeeded: something failed on the way and a fallback, an error edge or a fallback workflow made up for it.", "use --strict where degraded shall not pass"},
	"1":   {"The run or the call failed. The message on stderr names the node, the plugin, the class and the code of the error; -o json has every error on the way.", "look up the error's code with host explain"},
	"2":   {"The command line is wrong, the input does not fit the workflow's schema, a setting or secret is missing, the run id belongs to another run, or a run is not in the state that the command needs. Nothing was started.", "read the message; host COMMAND --help shows how a command is used"},
	"3":   {"A workflow file is not valid, or a plugin does not keep its contract (it lacks the function that is called). Nothing was started.", "host validate FILE shows every finding with its place"},
	"4":   {"Not authorised: the server did not accept the token.", "use a token with the scope that the action needs"},
	"5":   {"Something that was named does not exist: a file, a plugin, a run.", "check the name"},
	"6":   {"The health gate refused the run: a critical check was not healthy, and no fallback workflow answered. No node was started.", "host health FILE shows the checks"},
	"7":   {"The deadline of the run ([run] deadline) passed before it ended. What was in flight was cancelled, and fallbacks were not asked.", "raise the deadline, or look at host plan FILE for the worst case"},
	"8":   {"A module was read and refused: its digest does not match, it is malformed, or it is of a sort that does not run here.", "host validate FILE names the module and the reason"},
	"9":   {"The journal cannot be read or written. What it holds is left as it is. From host doctor: something is not as it should be.", "host doctor looks at the state folder; name another one with --state DIR, or run without recording: --durable none"},
	"10":  {"The run is degraded, and --strict asks for a run without faults. The output was printed as usual.", "see in -o json which nodes are degraded and why"},
	"11":  {"The run is kept, and somebody has to go on with it: it waits for an approval, or because nobody knows what a call of a node with idempotent = false did; or it was followed and nobody works on it any more.", "host runs why ID says what it waits for and what to type: host runs approve ID answers it, host runs resume ID goes on with one that nobody works on"},
	"12":  {"The run was cancelled, by host runs cancel or by a program.", "host runs retry ID runs what was not done"},
	"130": {"Interrupted by ctrl-C. After the first one, calls in flight are cancelled and the run is kept, to be resumed; a second one ends the process at once.", "host runs resume ID goes on with the run"},
	"143": {"Ended by SIGTERM, in the same way as by a ctrl-C.", "host runs resume ID goes on with the run"},
}

// errorCodes are the codes that errors of runs and calls carry. A plugin's own
// codes are the plugin's to explain; one that is called like one of these is
// shown as plugin.CODE.
var errorCodes = map[string]explained{
	"timeout":            {"One attempt took longer than its timeout and was ended; nothing of it runs on. Transient: it is retried where the node says so.", "raise timeout if the work needs the time, or give the node retries or a fallback"},
	"deadline":           {"All attempts and waits together took longer than the deadline of the node, or the whole run than the deadline of the run.", "raise deadline, or lower max_retries, timeout or max_delay: host plan FILE shows the sum"},
	"cancelled":          {"The work was cancelled: by host runs cancel, because another node failed (on_failure = \"stop\"), or because the program ended. It counts neither for nor against a breaker.", "look for the error that came first; on_failure = \"continue\" lets independent branches finish"},
	"trap":               {"The plugin crashed: an unreachable instruction, a division by zero, memory out of bounds, a panic of its language. Its instance was thrown away.", "look at the plugin's log with -v and call it alone: host call SOURCE --input …"},
	"exit":               {"The plugin ended with an exit code other than 0. 75 means try again (transient); 64, 65, 77 and 78 mean that it makes no sense (permanent). The last line of its stderr is the message.", "look at the plugin's log with -v"},
	"memory_limit":       {"The plugin needed more memory than limits.memory allows.", "raise limits = { memory = \"…\" } of the plugin, or give it less at once"},
	"step_limit":         {"The plugin ran more instructions than limits.steps allows.", "raise limits.steps, or find the loop that does not end"},
	"output_limit":       {"The plugin's output is larger than limits.output allows.", "raise limits.output, or have the plugin return less"},
	"input_limit":        {"The input of the call is larger than limits.input allows. The plugin was not called.", "raise limits.input, or hand over less"},
	"file_limit":         {"The plugin failed after it was refused one more open file than limits.files allows.", "raise limits.files, or have the plugin close its files"},
	"table_limit":        {"The module's tables have more elements than what runs here.", "build it with fewer functions in tables, or split it"},
	"instance_limit":     {"All instances of the plugin were busy (limits.instances) until the timeout of the call had passed. Transient: it is retried where the node says so.", "raise limits.instances or timeout, or send less at once"},
	"log_limit":          {"The plugin logged more than limits.log allows. What follows is left out of the log; the call goes on.", "raise limits.log, or have the plugin log less"},
	"vars_limit":         {"The plugin kept more in its variables than limits.vars allows.", "raise limits.vars"},
	"http_limit":         {"The plugin made more requests, or moved more bytes, than limits.http_requests and limits.http_bytes allow.", "raise the limit if the plugin shall do that much"},
	"http_failed":        {"An HTTP request of the plugin failed before there was an answer: the connection was refused or reset, or the name does not exist.", "check the address and the network; retries help when it is temporary"},
	"http_request":       {"The plugin asked for an HTTP request that makes no sense: a bad URL, a method or header that is not allowed.", "look at what the plugin puts together from its input and configuration"},
	"denied":             {"The plugin tried something that the workflow does not allow it: a host, a redirect, an address, a folder, a variable.", "if it shall be allowed, add it to allow of the plugin; host plan FILE shows what it may do"},
	"missing_export":     {"The module has no function of that name.", "check function; host validate lists the functions that there are"},
	"bad_module":         {"The file is no WebAssembly module, or a damaged one.", "build it again; a download may be an error page"},
	"unsupported_module": {"The module is WebAssembly of a sort that does not run here: a component (WASIp2), or one that needs garbage collection, threads or 64-bit memory.", "build a core module, for instance with the target wasm32-wasip1"},
	"digest_mismatch":    {"The module's bytes are not those that sha256 names.", "if the change is meant, put the new digest into the file: sha256sum PLUGIN"},
	"not_found":          {"What was named does not exist: the source of a plugin, a recorded run, a breaker.", "check the path, which is relative to the workflow file, or the name; host runs list shows the runs"},
	"fetch_failed":       {"The plugin could not be downloaded.", "check the URL and the network"},
	"bad_plugin":         {"What the workflow gives the plugin cannot be set up here: a folder that is not there, an origin or a header that cannot be used. The file itself may be valid; this is found when the plugin is set up.", "the message says which part: make the folder, or change that permission or secret of the plugin"},
	"bad_secret":         {"A secret's value cannot be used: it is too short to be masked, or holds characters that its use does not allow.", "provide a longer value"},
	"host_failure":       {"Something failed in host itself, not in the plugin.", "run it with -v and report what it says"},
	"closed":             {"The host was being closed.", "run it again"},
	"not_available":      {"The source of the plugin is of a kind that this version does not fetch, such as an OCI registry or plain http.", "save the module as a file and name that, or use https:// with its sha256"},
	"invalid_input":      {"The input of the workflow or of a node does not fit its schema; the message names the place in it. Permanent: it is not retried.", "mend the input, or the schema"},
	"invalid_output":     {"What the plugin returned does not fit the node's output schema, or is not text at all. Permanent: it is not retried.", "mend the plugin or the schema; host call shows what it returns"},
	"expression":         {"An expression could not be evaluated; the message names its place in the file. Only ?. tolerates a missing value.", "mend the expression: use ?. and ?? where a value may be missing"},
	"breaker_open":       {"The circuit breaker is open: the service failed so often that it is left alone until the recovery timeout has passed. The call was not made and is not retried; the fallback is asked at once. The last real error is the cause.", "wait, or see why the service fails"},
	"rate_limited":       {"The rate limit of the policy had no room within max_wait. The call was not made; it is retried normally.", "raise rate or max_wait"},
	"panic":              {"A part of host crashed and was caught.", "report it, with what -v says"},
	"outcome_unknown":    {"With idempotent = false: the call was cut off, and nobody knows whether its work was done, so it is not repeated by itself. A recorded run waits for a person then; one that is not recorded fails.", "find out whether it was done; a run that waits for the answer gets it by host runs approve ID --node NODE, with --reject when it was not, or is told to call again by host runs retry ID --from NODE"},
	"hedge_lost":         {"Another of the calls that ran side by side answered first.", "nothing: this is what a hedge is for"},
	"unhealthy":          {"A critical health check was not healthy, so the run was refused before its first node.", "host health FILE shows the checks"},
	"bad_run_id":         {"A run id has 1 to 128 characters: letters, digits, dots, underscores and hyphens", "choose another id"},
	"run_conflict":       {"The run id belongs to a recorded run of another workflow, file or input. Ids are idempotency keys: the same id means the same run.", "choose another id; host runs show ID shows the run that has it"},
	"journal":            {"The journal in the state folder cannot be opened, read or written: the folder cannot be made or written to, the disk is full, the file is damaged or from a later version. What it holds is left as it is.", "host doctor looks at the folder; name another with --state DIR, or record nothing with --durable none"},
	"no_journal":         {"What was asked for needs a journal, and there is none: recorded runs, approvals, breakers of other processes.", "run with a state folder and without --durable none"},
	"served":             {"Another server has the state folder, and only one may.", "stop that one, or name another folder with --state DIR"},
	"run_alive":          {"A process works on the run now, so it can be neither deleted nor retried.", "follow it with host runs watch ID, or end it with host runs cancel ID"},
	"run_ended":          {"The run has ended already, so there is nothing to cancel or to answer.", "host runs show ID shows how it ended"},
	"run_succeeded":      {"Every node of the run succeeded, so a retry has nothing to do.", "name the node to run again: host runs retry ID --from NODE"},
	"not_waiting":        {"No node of the run waits for a person, or not for this answer.", "host runs why ID says what the run waits for"},
	"unknown_node":       {"The run has no node of that name, or it is not one that waits.", "host runs show ID lists the nodes; one inside a sub-workflow is named by its path, such as report/ask"},
	"ambiguous":          {"The name fits several things: a short id several runs, or no --node was given and several nodes wait.", "give more of the id, or name the node with --node; a breaker of several workflows is WORKFLOW.KEY"},
	"workflow_changed":   {"The workflow file is not the one that the run began with, so going on could mean something else.", "put the file back, or take the new one with host runs retry ID"},
	"rejected":           {"A person rejected the approval that the node asked for. Permanent: it is not retried.", "host runs show ID says who and why; an error edge or a fallback workflow can take over"},
	"run_interrupted":    {"The run was interrupted, so nobody is there to take the answer: what it waits for is not known before it goes on.", "host runs resume ID goes on with the run"},
	"no_answer":          {"The process that works on the run has not taken what it was told in time. It stands, and is taken when the process answers again, or by whoever goes on with the run.", "host runs show ID says who works on it"},
	"bad_command":        {"The process that works on the run does not understand what it was told: it is another version of host.", "use the version that works on the run"},
	"invalid_workflow":   {"The workflow file of the run is not valid any more, so the run cannot go on.", "host validate FILE shows what is wrong with it"},
	"missing_secret":     {"A secret that is not optional is not there, so the run was not started.", "set the environment variable or make the file that [secrets] names"},
	"bad_setting":        {"A setting comes from an environment variable that is not set, and has no default.", "set the variable, or give a default in the file"},
	"unsupported":        {"The file is valid, but it needs something that this version of host does not do.", "the message says what; leave that part away"},
}

// nextStep is the advice for an error code.
func nextStep(code string) string {
	if e, ok := errorCodes[code]; ok {
		return e.next + " (host explain " + code + ")"
	}
	return ""
}
