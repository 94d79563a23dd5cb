'use strict';

const fs = require('node:fs');
const os = require('node:os');

/** What a figure depends on besides the code. */
function environment(implementations) {
  const versions = { node: process.version, openssl: process.versions.openssl };
  for (const { name, version } of implementations.values()) versions[name] = version;
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0].model,
    cores: os.cpus().length,
    governor: readGovernor(),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    memoryMib: Math.round(os.totalmem() / 1024 / 1024),
    versions
  };
}

function readGovernor() {
  try {
    return fs.readFileSync('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** The same as lines of text. */
function describe({ cpu, cores, governor, kernel, memoryMib, versions }) {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}, ${cores} cores, governor ${governor}, ${memoryMib} MiB`,
    kernel,
    names.join(', ')
  ].join('\n');
}

module.exports = { environment, describe };
