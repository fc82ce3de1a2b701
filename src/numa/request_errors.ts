/**
 * What can be wrong with a request before any host is looked at. An error is data: Nova's exception name, the extra spec
 * or image property that has to be changed, its value, and a sentence with both.
 */

export type RequestErrorClass =
  | 'BadRequirementEmulatorThreadsPolicy'
  | 'CPUThreadPolicyConfigurationInvalid'
  | 'FlavorImageLockedMemoryConflict'
  | 'ImageCPUPinningForbidden'
  | 'ImageCPUThreadPolicyForbidden'
  | 'ImageNUMATopologyAsymmetric'
  | 'ImageNUMATopologyCPUDuplicates'
  | 'ImageNUMATopologyCPUOutOfRange'
  | 'ImageNUMATopologyCPUsUnassigned'
  | 'ImageNUMATopologyForbidden'
  | 'ImageNUMATopologyIncomplete'
  | 'ImageNUMATopologyMemoryOutOfRange'
  | 'Invalid'
  | 'InvalidCPUAllocationPolicy'
  | 'InvalidCPUThreadAllocationPolicy'
  | 'InvalidEmulatorThreadsPolicy'
  | 'InvalidMixedInstanceDedicatedMask'
  | 'InvalidNUMANodesNumber'
  | 'InvalidRequest'
  | 'LockMemoryForbidden'
  | 'MemoryPageSizeForbidden'
  | 'MemoryPageSizeInvalid'
  | 'RealtimeConfigurationInvalid'
  | 'RealtimeMaskNotFoundOrInvalid'
  | 'RequiredMixedInstancePolicy'
  | 'RequiredMixedOrRealtimeCPUMask'
  | 'ValueError';

export type RequestError = {
  readonly errorClass: RequestErrorClass;
  /** The extra spec (`hw:cpu_policy`) or image property (`hw_cpu_policy`) to change. */
  readonly field: string;
  /** Its text; empty where it is not set and would have to be. */
  readonly value: string;
  readonly message: string;
};

/** The flavor and the image that are read, and all that was found wrong with them, in the order of Nova's checks. */
export class RequestReading {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly errors: RequestError[] = [];
  readonly #extraSpecs: Readonly<Record<string, string>>;
  readonly #imageProperties: Readonly<Record<string, string>>;

  constructor(flavor: FlavorRequest, imageProperties: ImageProperties) {
    this.vcpus = flavor.vcpus;
    this.memoryMib = flavor.memoryMib;
    this.#extraSpecs = flavor.extraSpecs;
    this.#imageProperties = imageProperties;
  }

  /** The text of an extra spec (`hw:...`) or an image property (`hw_...`), undefined where it is not there. */
  text(field: string): string | undefined {
    const source = field.startsWith('hw_') ? this.#imageProperties : this.#extraSpecs;
    return Object.hasOwn(source, field) ? source[field] : undefined;
  }

  /** The same, where an empty text means that it is not set. */
  setText(field: string): string | undefined {
    return this.text(field) || undefined;
  }

  extraSpecs(): readonly (readonly [string, string])[] {
    return Object.entries(this.#extraSpecs);
  }

  imageProperty(name: string): string | undefined {
    return Object.hasOwn(this.#imageProperties, name) ? this.#imageProperties[name] : undefined;
  }

  /** Notes an error; `rule` completes the sentence that begins with the field and its value. */
  refuse(errorClass: RequestErrorClass, field: string, rule: string): undefined {
    const value = this.text(field) ?? this.imageProperty(field) ?? '';
    // One check reads the emulator policy for another one: the same mistake is told once.
    if (this.errors.some((error) => error.errorClass === errorClass && error.field === field)) return undefined;
    this.errors.push({ errorClass, field, value, message: `${field}=${JSON.stringify(value)}: ${rule}` });
    return undefined;
  }
}

/** What of a flavor decides the topology. */
export type FlavorRequest = {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly extraSpecs: Readonly<Record<string, string>>;
};

/** Image properties by name, as texts. */
export type ImageProperties = Readonly<Record<string, string>>;
