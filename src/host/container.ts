import { quote } from './quoting.js';

// `container`, in words and for a shell: a name, or a service of compose or swarm, whose container has another name after each deploy.

const SERVICE = /^(?:compose:([^/]+)\/|swarm:)(.+)$/;

/** Whether it is a service as `container` takes it. */
export const isServiceName = (text: string): boolean =>
  /^(?:swarm:[A-Za-z0-9]|compose:[A-Za-z0-9][A-Za-z0-9_-]{0,127}\/[A-Za-z0-9_])[A-Za-z0-9_.-]{0,127}$/.test(text);

/** What a message calls it, behind "in" or "there is no running". */
export function containerInWords(container: string): string {
  const [, project, service] = SERVICE.exec(container) ?? [];
  if (service === undefined) return `container ${container}`;
  return project === undefined
    ? `container of the swarm service ${service}`
    : `container of the service ${service} of the compose project ${project}`;
}

/** Whether it is found by labels. */
export const isOfService = (container: string): boolean => SERVICE.test(container);

/** The word of a shell that is the name or id of the container when the line is run. */
export function containerWord(container: string): string {
  const [, project, service] = SERVICE.exec(container) ?? [];
  if (service === undefined) return quote(container);
  const labels =
    project === undefined
      ? [`com.docker.swarm.service.name=${service}`]
      : [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`];
  return `"$(docker ps -q ${labels.map((label) => `--filter label=${label}`).join(' ')})"`;
}
