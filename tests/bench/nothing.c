/* nothing - the smallest program: what a bare process start costs on this machine. */
int
main(void)
{
	return 0;
}
