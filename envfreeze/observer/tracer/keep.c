/* Files are kept before they are overwritten as the shim does it. */
#include "../shim/paths.c"
