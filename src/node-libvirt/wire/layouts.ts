/** All that a layout can be made of: what a user of the package describes a procedure of their own with. */
export * from './objects.ts';
export { typedParams } from './typed_params.ts';
export * from './xdr.ts';
