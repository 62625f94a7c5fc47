import { expect, test } from 'vitest';
import { classOf } from '../../src/runtime/gpu-context.ts';

test.each([
  ['server', 'nvidia', '', 'nvidia-h200', 'NVIDIA: 580.159.04 580.159.4.0'],
  ['server', 'nvidia', 'ampere', '', 'NVIDIA A100-SXM4-40GB'],
  ['server', 'amd', 'cdna-3', '', 'AMD Instinct MI300X'],
  ['desktop', 'nvidia', 'ampere', 'nvidia-geforce-rtx-3060', 'NVIDIA: 580.1'],
  ['desktop', 'nvidia', 'lovelace', '', ''],
  ['desktop', 'amd', 'rdna-3', '', 'AMD Radeon RX 7900 XTX (RADV NAVI31)'],
  ['desktop', 'intel', 'xe-hpg', '', 'Intel(R) Arc(TM) B580 Graphics'],
  ['integrated', 'intel', 'gen-12lp', '', 'Intel(R) Iris(R) Xe Graphics (TGL GT2)'],
  ['integrated', 'amd', 'gcn-5', '', 'AMD Radeon Graphics (RADV RENOIR)'],
  ['integrated', 'apple', 'metal-3', '', ''],
  ['phone', 'arm', 'valhall', '', 'Mali-G610'],
  ['phone', 'qualcomm', 'adreno-7xx', '', ''],
  ['integrated', '', '', '', ''],
] as const)('%s: %s %s %s %s', (expected, vendor, architecture, device, description) => {
  expect(classOf({ vendor, architecture, device, description } as GPUAdapterInfo)).toBe(expected);
});
