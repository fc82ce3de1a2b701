/** Secrets (libvirt-secret.h). */

/** virConnectListAllSecretsFlags (VIR_CONNECT_LIST_SECRETS_*); 0 is all secrets */
export const ListAllSecretsFlags = Object.freeze({
  EPHEMERAL: 1,
  NO_EPHEMERAL: 2,
  PRIVATE: 4,
  NO_PRIVATE: 8,
} as const);

/** virSecretDefineFlags */
export const SecretDefineFlags = Object.freeze({
  VALIDATE: 1,
} as const);

/** virSecretUsageType */
export const SecretUsageType = Object.freeze({
  NONE: 0,
  VOLUME: 1,
  CEPH: 2,
  ISCSI: 3,
  TLS: 4,
  VTPM: 5,
} as const);
