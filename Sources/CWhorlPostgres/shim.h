#include <postgresql/libpq-fe.h>
// The Glibc module of Swift leaves eventfd out.
#include <sys/eventfd.h>
