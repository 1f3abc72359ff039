/* Makes a program too large to be unwound by its instructions: 2 MiB that nothing calls. Included by
 * the compiler's command line.
 */
__asm__(".text\n\t.skip 0x200000, 0x90");
