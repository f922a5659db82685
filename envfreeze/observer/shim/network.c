/* Connections: a run that downloads depends on what others serve. */
#include "shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

EXPORT int connect(int descriptor, const struct sockaddr *address, socklen_t length) {
  NEXT(connect);
  int kept = errno;
  if (address && log_enter()) {
    char host[INET6_ADDRSTRLEN] = "", text[96];
    int port = 0, type = 0;
    socklen_t size = sizeof type;
    getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size);
    if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
      const struct sockaddr_in *four = (const void *)address;
      inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
      port = ntohs(four->sin_port);
    } else if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
      const struct sockaddr_in6 *six = (const void *)address;
      inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
      port = ntohs(six->sin6_port);
    }
    if (*host && type == SOCK_STREAM) {
      snprintf(text, sizeof text, "%s %d", host, port);
      log_once(REACHED, text);
    }
    log_leave();
  }
  errno = kept;
  return next(descriptor, address, length);
}
