/**
 * Of a login's environment: who and where one is, how to find tools, how to speak, how to reach user services and proxies. `LC_*` besides.
 * The search path of libraries belongs to that of tools: a Python from the tool cache of a runner does not start without it.
 */
const ALLOWED = [
  ...['HOME', 'USER', 'LOGNAME', 'SHELL', 'PATH', 'LD_LIBRARY_PATH', 'TMPDIR', 'TERM', 'LANG', 'LANGUAGE', 'TZ'],
  ...['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'],
  ...['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'CURL_CA_BUNDLE'],
  ...['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'],
];

/**
 * What programs started on this machine may know of the environment of this process, as they would over SSH: nothing of the inputs,
 * tokens, addresses and files of the runner. Without RUNNER_TRACKING_ID an application that is started again also outlives the job.
 */
export function localEnvironment(all: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined && (ALLOWED.includes(name) || /^LC_[A-Z]+$/.test(name))) kept[name] = value;
  }
  return kept;
}
